import assert from 'node:assert/strict';
import { publishedSchemas } from '../../libs/published/schemas.js';
import { test } from '../support/testing.js';
import { isJsonObject, type Json } from '../../libs/kernel/canonical-json.js';
import { namesIn, readJson } from './files.js';

/**
 * The schema of each published event, by type and version. A file is never changed: stores hold records of that shape.
 * Another shape is another version of the event. Only a list of words may grow within a version.
 */
test('every published schema is the one that its version has had from the beginning', () => {
  const now = new Map(publishedSchemas().map(({ name, schema }) => [`${name}.json`, schema]));
  const files = namesIn('published');
  for (const [name, schema] of now) {
    assert.ok(files.includes(name), `${name} is missing: npm run golden:events`);
    const golden = readJson<Json>('published', name);
    const shape = withWordsOf(golden, schema as Json);
    assert.deepEqual(shape, golden, `${name}: a change needs a new version of the event`);
  }
});

test('a word that is gone, and any other change, needs a new version', () => {
  const golden: Json = { properties: { role: { enum: ['a', 'b'], type: 'string' } } };
  const changed = (role: Json): Json => withWordsOf(golden, { properties: { role } });
  assert.deepEqual(changed({ enum: ['a', 'x', 'b'], type: 'string' }), golden);
  for (const role of [{ enum: ['a'], type: 'string' }, { enum: ['a', 'b'] }, { enum: ['a', 'b'], type: 'number' }]) {
    assert.notDeepEqual(changed(role), golden);
  }
});

/** A schema with each list of words as `golden` has it, if the list only grew. */
function withWordsOf(golden: Json | undefined, schema: Json): Json {
  if (Array.isArray(schema)) return schema.map((item, at) => withWordsOf((golden as Json[] | undefined)?.[at], item));
  if (!isJsonObject(schema)) return schema;
  const before = isJsonObject(golden) ? golden : {};
  return Object.fromEntries(
    Object.entries(schema).map(([name, member]) => {
      const words = before[name];
      const grown = name === 'enum' && Array.isArray(words) && Array.isArray(member);
      const kept = grown && words.every((word) => member.includes(word));
      return [name, kept ? words : withWordsOf(words, member)];
    }),
  );
}
