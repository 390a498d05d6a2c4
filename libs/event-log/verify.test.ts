import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { sealEvent } from './event.js';
import { verifySealed } from './verify.js';
import { test } from '../../test/support/testing.js';

const time = '2026-11-22T10:00:00.000Z';
const base = { stream: 'calls-1', revision: 3, type: 'CallDecided', schemaVersion: 1, time, actor: 'host:h' };

test('what was sealed verifies, and says what it is', () => {
  const sealed = sealEvent({ ...base, traceId: 'a'.repeat(32), causationId: 'c', data: { b: [1, 'x'] } });
  const { id, stream, revision, type } = sealed;
  assert.deepEqual(verifySealed(sealed.json), { id, stream, revision, type });
});

test('data that looks like an id does not confuse it', () => {
  const other = sealEvent({ ...base, data: 'other' });
  for (const data of [other.json, { id: other.id }, [`,"id":"${other.id}"`], { 'x","id":"': `","id":"${other.id}` }]) {
    const sealed = sealEvent({ ...base, data });
    assert.equal(verifySealed(sealed.json)?.id, sealed.id);
  }
});

test('any change of any character shows', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(), fc.integer({ min: 1, max: 127 }), (data, place, flip) => {
      const { json } = sealEvent({ ...base, data });
      const at = place % json.length;
      const changed = json.slice(0, at) + String.fromCharCode(json.charCodeAt(at) ^ flip) + json.slice(at + 1);
      // An id is hexadecimal in lower case: a change of case in it is a change like any other.
      return verifySealed(json) !== undefined && verifySealed(changed) === undefined;
    }),
  );
});

test('what is no event is not one', () => {
  for (const text of ['', '{}', 'null', ',"id":"', '{"actor":"a","data":1,"id":"x"}']) {
    assert.equal(verifySealed(text), undefined);
  }
});
