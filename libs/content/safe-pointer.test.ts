import assert from 'node:assert/strict';
import { test } from '../../test/support/testing.js';
import { declaredNames, safePointer } from './safe-pointer.js';

test('a pointer keeps the names of the protocol and of the schema, and indexes', () => {
  const schema = {
    $defs: { row: { properties: { cell: {} } } },
    properties: { 'a/b': { items: { $ref: '#/$defs/row' } } },
  };
  const names = declaredNames(schema);
  assert.deepEqual([...names].sort(), ['a/b', 'cell']);
  assert.equal(safePointer('/structuredContent/a~1b/3/cell', names), '/structuredContent/a~1b/3/cell');
  assert.equal(safePointer('/structuredContent/ada@example.org/0', names), '/structuredContent/*/0');
  assert.equal(safePointer('/structuredContent/4111111111111111', names), '/structuredContent/*');
  assert.equal(safePointer('', names), '');
});
