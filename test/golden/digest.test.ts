import assert from 'node:assert/strict';
import { canonicalJson, type Json } from '../../libs/kernel/canonical-json.js';
import {
  fingerprintDefinition,
  DEFINITION_FIELD_SET,
  type DigestedDefinition,
} from '../../libs/kernel/definition-digest.js';
import { digestOf } from '../../libs/kernel/digest.js';
import { parseStrictJson } from '../../libs/kernel/strict-json.js';
import { startService } from '../support/service.js';
import { expecting, register } from '../support/world.js';
import { namesIn, readJson } from './files.js';
import { describe, test } from '../support/testing.js';

/** Vectors for other implementations of the digest. None of the expected values was computed by the code under test. */
interface DefinitionVector {
  readonly name: string;
  readonly definition: DigestedDefinition;
  readonly fields: unknown;
  readonly definitionDigest?: string;
  readonly sameAs?: string;
  readonly differsFrom?: string;
  /** JSON Pointer of what keeps the definition from having a digest. */
  readonly refused?: string;
}

const definitions = readJson<{ fieldSet: number; vectors: DefinitionVector[] }>('digest', 'definitions.json');
const digestNamed = (name: string): string | undefined =>
  definitions.vectors.find((vector) => vector.name === name)?.definitionDigest;

test('there is no file of vectors that nobody reads', () => {
  assert.deepEqual(namesIn('digest'), ['canonical-json.json', 'definitions.json', 'strict-json.json']);
});

describe('definition digest', () => {
  test('the field set is the one of the vectors', () => {
    assert.equal(definitions.fieldSet, DEFINITION_FIELD_SET);
  });

  for (const { name, definition, fields, definitionDigest, sameAs, differsFrom, refused } of definitions.vectors) {
    test(name, () => {
      const fingerprint = fingerprintDefinition(definition);
      if (refused !== undefined) {
        assert.equal(fingerprint.ok ? fingerprint.value.digest : fingerprint.error.path, refused);
        return;
      }
      assert.ok(fingerprint.ok);
      // As text: maps of outside names have no prototype, and `__proto__` has to be compared too.
      assert.equal(JSON.stringify(sorted(fingerprint.value.fields)), JSON.stringify(sorted(fields)));
      assert.equal(fingerprint.value.digest, definitionDigest);
      if (sameAs !== undefined) assert.equal(definitionDigest, digestNamed(sameAs));
      if (differsFrom !== undefined) {
        assert.ok(digestNamed(differsFrom));
        assert.notEqual(definitionDigest, digestNamed(differsFrom));
      }
    });
  }

  test('a service computes the same, from the body that it is sent', async () => {
    const service = await startService();
    try {
      await register(service);
      const path = '/v1/capabilities/memory/versions/1.0.0/observations';
      for (const { name, definition, definitionDigest, refused } of definitions.vectors) {
        const answer = await service.call('host', 'POST', path, { definition });
        if (refused === undefined) assert.equal(expecting(200, answer).definitionDigest, definitionDigest, name);
        else assert.equal(expecting(400, answer).errors[0].path, `/definition${refused}`, name);
      }
    } finally {
      await service.stop();
    }
  });
});

/** Entries instead of members, in an order of their own. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => [key, sorted(member)]);
}

describe('canonical JSON', () => {
  const { vectors, numbers, refused } = readJson<{
    vectors: { name: string; text: string; canonical: string; digest: string }[];
    numbers: { ieee: string; canonical: string }[];
    refused: { numbers: string[]; texts: string[] };
  }>('digest', 'canonical-json.json');

  for (const { name, text, canonical, digest } of vectors) {
    test(name, () => {
      const value = JSON.parse(text) as Json;
      assert.equal(canonicalJson(value), canonical);
      assert.equal(digestOf(value), digest);
      assert.equal(canonicalJson(JSON.parse(canonical)), canonical);
    });
  }

  test('numbers, by their bits', () => {
    for (const { ieee, canonical } of numbers) assert.equal(canonicalJson(doubleOf(ieee)), canonical, ieee);
  });

  test('what has no canonical form', () => {
    for (const ieee of refused.numbers) assert.throws(() => canonicalJson([doubleOf(ieee)]), ieee);
    for (const text of refused.texts) assert.throws(() => canonicalJson(JSON.parse(text)), text);
  });
});

const doubleOf = (ieee: string): number => Buffer.from(ieee, 'hex').readDoubleBE();

describe('strict JSON', () => {
  const { maxDepth, vectors } = readJson<{
    maxDepth: number;
    vectors: {
      name: string;
      text: string;
      maxDepth?: number;
      canonical?: string;
      refused?: string;
      offset?: number;
    }[];
  }>('digest', 'strict-json.json');

  for (const vector of vectors) {
    test(`${vector.name}: ${vector.refused ?? 'taken'}`, () => {
      const parsed = parseStrictJson(vector.text, vector.maxDepth ?? maxDepth);
      if (vector.refused === undefined) {
        assert.ok(parsed.ok, JSON.stringify(parsed));
        assert.equal(canonicalJson(parsed.value), vector.canonical);
        return;
      }
      assert.ok(!parsed.ok);
      assert.equal(parsed.error.kind, vector.refused);
      if (vector.offset !== undefined) assert.equal(parsed.error.offset, vector.offset);
    });
  }
});
