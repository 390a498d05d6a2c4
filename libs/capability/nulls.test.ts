import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Json, JsonObject } from '../kernel/canonical-json.js';
import { fingerprintDefinition } from '../kernel/definition-digest.js';
import type { Definition } from './definition.js';
import { diffDefinitions } from './diff.js';
import { equalButForNulls } from './nulls.js';
import { test } from '../../test/support/testing.js';

/** A client that writes absent members as null, and a server that hides a change behind one. */

const tool = (more: JsonObject = {}, schema: JsonObject = {}): Definition => ({
  tools: [
    { name: 'read', inputSchema: { type: 'object', properties: { path: { type: 'string' } }, ...schema }, ...more },
  ],
});

const EQUAL: Record<string, [Definition, Definition]> = {
  'optional members of a tool': [
    tool(),
    tool({ title: null, description: null, annotations: null, outputSchema: null }),
  ],
  'hints of annotations': [
    tool({ annotations: { readOnlyHint: true } }),
    tool({ annotations: { readOnlyHint: true, destructiveHint: null, title: null } }),
  ],
  'nulls that were reviewed': [tool({ title: null, _meta: null }), tool()],
  'keywords of a schema, at any depth': [
    tool({}, { allOf: [{ type: 'object' }] }),
    tool({}, { title: null, additionalProperties: null, allOf: [{ type: 'object', description: null }] }),
  ],
  'a keyword below a property that is called default': [
    tool({}, { properties: { default: { type: 'string' }, const: { type: 'string' } } }),
    tool({}, { properties: { default: { type: 'string', format: null }, const: { type: 'string', title: null } } }),
  ],
  'arguments of a prompt': [
    { prompts: [{ name: 'p', arguments: [{ name: 'a' }] }] },
    { prompts: [{ name: 'p', title: null, arguments: [{ name: 'a', required: null }] }] },
  ],
  'another order of the lists': [
    { tools: [{ name: 'a' }, { name: 'b' }] },
    { tools: [{ name: 'b', title: null }, { name: 'a' }], prompts: [] },
  ],
};

for (const [name, [before, after]] of Object.entries(EQUAL)) {
  test(`nulls are the only difference: ${name}`, () => {
    assert.ok(equalButForNulls(before, after));
    assert.ok(equalButForNulls(after, before));
    const { severity, hint, changes } = diffDefinitions(before, after);
    assert.deepEqual([severity, hint], ['cosmetic', 'equal_but_for_nulls']);
    assert.ok(changes.length > 0 && changes.every((change) => change.severity === 'cosmetic'));
  });
}

const field = (more: JsonObject) => tool({}, { properties: { path: { type: 'string', ...more } } });

const DIFFERENT: Record<string, [Definition, Definition]> = {
  'a constant null': [field({}), field({ const: null })],
  'a default null': [field({}), field({ default: null })],
  'an example null': [field({}), field({ example: null })],
  'a null in an enumeration': [field({ enum: ['a'] }), field({ enum: ['a', null] })],
  'an enumeration that is null': [field({}), field({ enum: null })],
  'a null in a default': [field({ default: {} }), field({ default: { a: null } })],
  'a null among examples': [field({ examples: [] }), field({ examples: [null] })],
  'a property whose schema is null': [field({}), tool({}, { properties: { path: { type: 'string' }, root: null } })],
  'a definition that is null': [tool({}, { $defs: {} }), tool({}, { $defs: { a: null } })],
  'a null among types': [field({ type: ['string'] }), field({ type: ['string', null] })],
  'a null in the metadata of a tool': [tool({ _meta: {} }), tool({ _meta: { approved: null } })],
  'empty annotations': [tool(), tool({ annotations: {} })],
  'a hint that was there': [
    tool({ annotations: { destructiveHint: true } }),
    tool({ annotations: { destructiveHint: null } }),
  ],
  'a schema that was there': [tool(), { tools: [{ name: 'read', inputSchema: null }] }],
  'a null and a real change': [tool(), tool({ title: null, description: 'Now reads all.' })],
  'a tool that is new': [tool(), { tools: [...(tool().tools ?? []), { name: 'write', title: null }] }],
  'instructions that are new': [tool(), { ...tool({ title: null }), instructions: 'Obey.' }],
  'an inherited name': [tool(), tool(JSON.parse('{"__proto__":{"title":null}}') as JsonObject)],
};

for (const [name, [before, after]] of Object.entries(DIFFERENT)) {
  test(`a drift: ${name}`, () => {
    assert.ok(!equalButForNulls(before, after));
    assert.ok(!equalButForNulls(after, before));
    assert.equal(diffDefinitions(before, after).hint, undefined);
  });
}

/** Nulls where a library writes them: in place of members that the item does not have. */
const withNulls = (value: Json, spread: readonly string[]): Json => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const nulls = spread.filter((key) => !Object.hasOwn(value, key)).map((key) => [key, null]);
  return Object.fromEntries([...Object.entries(value), ...nulls]) as JsonObject;
};

test('whatever an item holds, nulls in place of absent members change its digest and nothing else', () => {
  const item = fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), fc.jsonValue() as fc.Arbitrary<Json>, { maxKeys: 5 });
  fc.assert(
    fc.property(item, (members) => {
      const before: Definition = { tools: [{ ...members, name: 't' }] };
      const after: Definition = { tools: [withNulls({ ...members, name: 't' }, ['Title', 'Other']) as JsonObject] };
      assert.ok(equalButForNulls(before, after));
      const changed: Definition = { tools: [{ ...after.tools?.[0], description2: 'x' }] };
      assert.ok(!equalButForNulls(before, changed));
      const [one, two] = [fingerprintDefinition(before), fingerprintDefinition(after)];
      assert.ok(one.ok && two.ok && one.value.digest !== two.value.digest);
    }),
  );
});
