import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { readSettings } from '../../apps/pdp/settings.js';
import { kafkaVersion } from '../engines/kafka/jars.js';
import { projectRoot, startFlags } from '../support/root.js';
import { describe, test } from '../support/testing.js';

/** Checks of the compose file that need no Docker. */

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly environment: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
}

interface Compose {
  readonly services: Readonly<Record<'sallyport' | 'kafka', Service>>;
  readonly volumes: Readonly<Record<string, null>>;
}

const textOf = (path: string): string => readFileSync(join(projectRoot, 'deploy', path), 'utf8');
const { services, volumes } = parse(textOf('compose.yaml')) as Compose;
const { sallyport, kafka } = services;

describe('deploy/compose.yaml', () => {
  test('the service would start with its environment', () => {
    const certificates = { SALLYPORT_KAFKA_TLS: 'on' };
    const { http, tls } = readSettings({ ...sallyport.environment, ...certificates });
    assert.equal(http.host, '0.0.0.0');
    assert.notEqual(tls, undefined);
  });

  test('the service is sent to where Kafka says that it is', () => {
    const brokers = sallyport.environment['SALLYPORT_KAFKA_BROKERS'];
    assert.ok(kafka.environment['KAFKA_ADVERTISED_LISTENERS']?.split(',').includes(`TLS://${brokers}`));
    assert.match(kafka.image ?? '', new RegExp(`^apache/kafka:${kafkaVersion()}@sha256:[0-9a-f]{64}$`));
  });

  test('nothing is published beyond this machine, and Kafka not at all', () => {
    for (const port of sallyport.ports ?? []) assert.match(port, /^127\.0\.0\.1:/);
    assert.equal(kafka.ports, undefined);
  });

  test('each has its data on a volume of its own', () => {
    for (const { volumes: mounted } of [sallyport, kafka]) {
      assert.equal(mounted.filter((mount) => Object.hasOwn(volumes, mount.split(':')[0] ?? '')).length, 1);
    }
    assert.ok(sallyport.volumes.includes('sallyport-data:/data'));
    assert.ok(kafka.volumes.includes(`kafka-data:${kafka.environment['KAFKA_LOG_DIRS']}`));
    assert.equal(kafka.healthcheck?.test[0], 'CMD');
  });
});

test('however it is started, no signal opens the debugger and no core is written', () => {
  assert.ok(startFlags().includes('--disable-sigusr1'));
  const unit = textOf('sallyport.service');
  assert.ok(unit.includes(`node ${startFlags().join(' ')} dist/apps/pdp/main.js\n`), 'as npm start does');
  assert.match(unit, /^LimitCORE=0$/m);
  assert.match(unit, /^UMask=0077$/m);
  assert.deepEqual((sallyport as { ulimits?: unknown }).ulimits, { core: 0 });
});
