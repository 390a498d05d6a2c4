import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { canonicalJson, type Json } from '../kernel/canonical-json.js';
import { DIGEST_PATTERN } from '../kernel/digest.js';
import { err } from '../kernel/result.js';
import { openPayload, sealPayload, verifyCommitments } from './payload.js';
import { test } from '../../test/support/testing.js';

const key = randomBytes(32);
const place = 'calls-1@3';

function opened(bytes: Uint8Array) {
  const result = openPayload(key, place, bytes);
  assert.ok(result.ok);
  return result.value;
}

test('what was sealed opens, and is what was committed to', () => {
  const names = fc.string({ maxLength: 8 });
  fc.assert(
    fc.property(fc.dictionary(names, fc.jsonValue(), { maxKeys: 4 }), (parts) => {
      const { bytes, commitments } = sealPayload(key, place, parts as Record<string, Json>);
      const payload = opened(bytes);
      assert.equal(canonicalJson(payload.parts), canonicalJson(parts));
      assert.ok(Object.values(commitments).every((digest) => DIGEST_PATTERN.test(digest)));
      assert.ok(verifyCommitments(payload, commitments));
    }),
  );
});

test('names that objects inherit are names like any other', () => {
  const parts = JSON.parse('{"__proto__":{"a":1},"constructor":2,"toString":3}') as Record<string, Json>;
  const { bytes, commitments } = sealPayload(key, place, parts);
  const payload = opened(bytes);
  assert.deepEqual(payload.parts['__proto__'], { a: 1 });
  assert.deepEqual(Object.keys(payload.parts).sort(), ['__proto__', 'constructor', 'toString']);
  assert.ok(verifyCommitments(payload, commitments));
});

test('the same content twice shows in neither the bytes nor the commitments', () => {
  const [one, two] = [sealPayload(key, place, { a: 'secret' }), sealPayload(key, place, { a: 'secret' })];
  assert.notDeepEqual(one.bytes, two.bytes);
  assert.notEqual(one.commitments['a'], two.commitments['a']);
  assert.equal(Buffer.from(one.bytes).includes('secret'), false);
});

test('opens only with its key, in its place, and as it was sealed', () => {
  const { bytes } = sealPayload(key, place, { a: 1 });
  assert.deepEqual(openPayload(randomBytes(32), place, bytes), err('not_authentic'));
  assert.deepEqual(openPayload(key, 'calls-1@4', bytes), err('not_authentic'));
  for (let at = 1; at < bytes.byteLength; at += 1) {
    const changed = Uint8Array.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.deepEqual(openPayload(key, place, changed), err('not_authentic'));
  }
  for (let length = 1; length < bytes.byteLength; length += 1) {
    assert.deepEqual(openPayload(key, place, bytes.subarray(0, length)), err('not_authentic'));
  }
  assert.deepEqual(openPayload(key, place, Uint8Array.of(2, ...bytes.subarray(1))), err('unsupported_version'));
  assert.deepEqual(openPayload(key, place, new Uint8Array()), err('unsupported_version'));
});

test('a part that is changed, missing or too many is not what was committed to', () => {
  const { bytes, commitments } = sealPayload(key, place, { a: 1, b: 2 });
  const payload = opened(bytes);
  const { a, b } = commitments;
  assert.ok(a !== undefined && b !== undefined);
  assert.ok(verifyCommitments(payload, { b, a }));
  assert.equal(verifyCommitments(payload, { a }), undefined);
  assert.equal(verifyCommitments(payload, { a, b, c: a }), undefined);
  assert.equal(verifyCommitments(payload, { a, c: b }), undefined);
  assert.equal(verifyCommitments(payload, { a: b, b: a }), undefined);
  assert.equal(verifyCommitments({ ...payload, parts: { a: 1, b: 3 } }, commitments), undefined);
});

test('throws past the size limit', () => {
  assert.throws(() => sealPayload(key, place, { a: 'x'.repeat(33_600_000) }), RangeError);
});
