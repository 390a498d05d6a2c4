import assert from 'node:assert/strict';
import { test } from '../../../test/support/testing.js';
import type { Json, JsonObject } from '../../kernel/canonical-json.js';
import { ok } from '../../kernel/result.js';
import { CURRENT_PACK, packOf } from '../detect/packs.js';
import { readSchema } from '../schema/schema-vetting.js';
import { declaredBy } from './declared.js';
import { filterOutbound } from './filter.js';
import type { FilterInput, FilterResult } from './shapes.js';
import { unacceptedLocators } from './unaccepted.js';

/** Redactions in texts that name or address something, by the rules of the present pack. */

const MAIL = 'ann@example.org';
const KEY = 'AKIAIOSFODNN7EXAMPLQ';

function run(given: Partial<FilterInput>, schema: Json): FilterResult {
  const vetted = readSchema(schema);
  assert.ok(vetted.ok);
  const pack = packOf(CURRENT_PACK) ?? assert.fail();
  const none = { arguments: {}, context: [], labels: [], contextLevel: 'public' as const, flow: [], needs: {} };
  const input: FilterInput = { ...none, sensitivity: 'internal', ...given };
  return filterOutbound(input, { pack, declared: declaredBy(vetted.value), valid: () => ok(undefined) });
}

test('a redaction in a text with the format of a name or an address denies', () => {
  const text = { type: 'string' };
  const schema = {
    properties: {
      to: { $ref: '#/$defs/mail' },
      links: { items: { anyOf: [{ ...text, format: 'uri' }, { type: 'null' }] } },
      note: text,
    },
    $defs: { mail: { ...text, format: 'email' } },
  };
  const denied = (given: JsonObject, more: Partial<FilterInput> = {}) =>
    run({ arguments: given, ...more }, schema).denial;
  const evidence = (path: string, type: string) => ({ reason: 'context_above_sensitivity', evidence: { path, type } });
  assert.deepEqual(denied({ to: MAIL }), evidence('/arguments/to', 'pii:email'));
  const links = ['https://x.org', `https://x.org/?key=${KEY}`];
  assert.deepEqual(denied({ links }), evidence('/arguments/links/1', 'secret:aws_access_key'));
  assert.equal(denied({ note: MAIL }), undefined, 'a text without a format is redacted');
  assert.equal(denied({ to: MAIL }, { sensitivity: 'confidential' }), undefined, 'nothing is redacted');
  const needs = { arguments: [{ path: '/to', accepts: ['pii:email'] }] };
  assert.equal(denied({ to: MAIL }, { needs }), undefined, 'it is accepted');
  const many = Array.from({ length: 400 }, () => KEY);
  assert.deepEqual(denied({ note: KEY, extra: many, to: MAIL }), evidence('/arguments/to', 'pii:email'));
});

test('texts that name or address something by their name or format, and accept nothing', () => {
  const text = { type: 'string' };
  const schema = {
    properties: {
      path: text,
      userId: { anyOf: [text, { type: 'null' }] },
      body: text,
      where: { ...text, format: 'uri' },
      count: { type: 'integer', format: 'uri' },
      'created-by_id': { type: ['string', 'null'] },
      list: { type: 'array', items: { properties: { to: text, topic: text } } },
      paths: { items: text },
    },
  };
  const all = ['/path', '/userId', '/where', '/created-by_id', '/list/*/to', '/paths/*'];
  assert.deepEqual(unacceptedLocators(schema, undefined), all);
  const needs = [
    { path: '/path', accepts: ['pii:email'] },
    { path: '/list', accepts: ['pii:email'] },
    { path: '/userId' },
  ];
  assert.deepEqual(unacceptedLocators(schema, needs), ['/userId'], 'what is not needed never leaves');
  for (const other of [null, true, { $ref: '#' }]) assert.deepEqual(unacceptedLocators(other, undefined), []);
});

test('a path loses the address in it, and keeps its folders and its file', () => {
  const schema = { properties: { path: { type: 'string' } } };
  const { outbound, denial } = run({ arguments: { path: `/home/${MAIL}/a.txt` } }, schema);
  assert.deepEqual(outbound.arguments, { path: '/home/[redacted pii:email]/a.txt' });
  assert.deepEqual(outbound.redactions, [{ path: '/arguments/path', type: 'pii:email', count: 1 }]);
  assert.equal(denial, undefined);
});
