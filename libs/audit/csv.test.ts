import assert from 'node:assert/strict';
import { csvRow } from './csv.js';
import { test } from '../../test/support/testing.js';

test('a cell is quoted as RFC 4180 says, and never a formula', () => {
  assert.equal(csvRow(['a', 1, true, null, undefined, { b: [1] }]), 'a,1,true,,,"{""b"":[1]}"\r\n');
  assert.equal(csvRow(['a,b', 'say "hi"', 'two\nlines']), '"a,b","say ""hi""","two\nlines"\r\n');
  for (const text of ['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\rx']) {
    assert.ok(csvRow([text]).replaceAll('"', '').startsWith("'"), JSON.stringify(text));
  }
});
