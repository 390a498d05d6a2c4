import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { test } from '../../../test/support/testing.js';
import pii from '../packs/1/pii.json' with { type: 'json' };
import secrets from '../packs/1/secrets.json' with { type: 'json' };
import { CHECKS } from './checks.js';
import { fieldsOf } from './fields.js';
import { RuleFile } from './rules.js';

const files = [secrets, pii].map((file) => RuleFile.parse(file));
const fields = fieldsOf(files);
const names = files.flatMap(({ fields }) => fields.flatMap((rule) => rule.names));

/** The types by the definition: each rule is asked whether the words of the field end with one of its names. */
function typesByEachRule(text: string, field: string): string[] {
  const words = field
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '');
  const value = text.trim();
  const start = text.indexOf(value);
  return files.flatMap(({ prefix, fields }) =>
    fields
      .filter((rule) => rule.names.some((name) => words === name || words.endsWith(`_${name}`)))
      .filter(
        ({ check }) => value !== '' && CHECKS[check]?.({ text, start, end: start + value.length, value }) === true,
      )
      .map(({ kind }) => `${prefix}:${kind}`),
  );
}

test('the rules that are looked up for a field are those whose names its words end with', () => {
  const part = fc.oneof(
    fc.constantFrom(...names),
    fc.constantFrom('_', '.', '-', '/', ' ', 'db', 'Db', 'user', 'X1', ''),
    fc.string({ unit: 'binary', maxLength: 4 }),
  );
  const capital = part.map((name) => name.charAt(0).toUpperCase() + name.slice(1));
  const field = fc.array(fc.oneof(part, capital), { maxLength: 4 }).map((parts) => parts.join(''));
  const text = fc.constantFrom('hunter2hunter2', ' 078-05-1120 ', '4111111111111111', '1990-02-03', 'x', '', '  ');
  let found = 0;
  fc.assert(
    fc.property(text, field, (value, name) => {
      const types = [...new Set(fields.spans(value, name).map(({ type }) => type))].sort();
      assert.deepEqual(types, [...new Set(typesByEachRule(value, name))].sort(), name);
      found += types.length;
    }),
    { numRuns: 5000 },
  );
  assert.ok(found > 50, 'the fields have rules');
});
