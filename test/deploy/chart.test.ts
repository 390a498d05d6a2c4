import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { readSettings } from '../../apps/pdp/settings.js';
import { projectRoot } from '../support/root.js';
import { describe, test } from '../support/testing.js';

/** Checks of the chart that need no Helm. `npm run test:deploy` renders it. */

const textOf = (path: string): string => readFileSync(join(projectRoot, 'deploy/helm', path), 'utf8');
const ajv = new Ajv({ strict: false });
const isValid = ajv.compile(JSON.parse(textOf('values.schema.json')) as object);
const values = parse(textOf('values.yaml')) as Readonly<Record<string, object>>;

describe('deploy/helm', () => {
  test('its own values pass its schema, and the schema names each of them', () => {
    assert.ok(isValid(values), JSON.stringify(isValid.errors));
    const { properties } = JSON.parse(textOf('values.schema.json')) as { properties: object };
    assert.deepEqual(new Set(Object.keys(properties)), new Set(['global', ...Object.keys(values)]));
  });

  test('the schema refuses misspelt names, settings that the chart sets, and half a login to Kafka', () => {
    for (const [wrong, at] of [
      [{ imagee: {} }, ''],
      [{ image: { repository: 'x', digest: 'latest' } }, '/image/digest'],
      [{ settings: { SALLYPORT_KAFKA_PASSWORD: 'x' } }, '/settings'],
      [{ settings: { PATH: 'x' } }, '/settings'],
      [{ kafka: { brokers: 'k:1', sasl: 'plain', user: 'u', existingSecret: '' } }, '/kafka'],
    ] as const) {
      assert.equal(isValid({ ...values, ...wrong }), false, JSON.stringify(wrong));
      assert.ok(isValid.errors?.some(({ instancePath }) => instancePath.startsWith(at)));
    }
  });

  test('the service knows each setting that the chart gives it', () => {
    const names = [...textOf('templates/statefulset.yaml').matchAll(/name: (SALLYPORT_[A-Z_]+), value: '?([^ }']+)/g)];
    assert.ok(names.length >= 10);
    const known = names.filter(([, name = '']) => !name.includes('KAFKA'));
    const { http, dataDir } = readSettings(Object.fromEntries(known.map(([, name, value]) => [name, value])));
    assert.deepEqual([http.host, dataDir], ['0.0.0.0', '/data/sallyport']);
    const settings = readFileSync(join(projectRoot, 'docs/operate/settings.md'), 'utf8');
    for (const [, name] of names) assert.ok(settings.includes(`\`${name}\``), name);
  });
});
