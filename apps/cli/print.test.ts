import assert from 'node:assert/strict';
import { quoteText } from '../../libs/content/envelope/invisible.js';
import { at, dig, jsonText, list, printable, table } from './print.js';
import { test } from '../../test/support/testing.js';

const HOSTILE = 'a\u001b[2Jb\u0007c\u009bd\u202ee\u200bf\u{e0041}g\nh';

test('nothing that a terminal obeys or that hides text is printed', () => {
  assert.equal(printable(HOSTILE), 'a\\u{1b}[2Jb\\u{7}c\\u{9b}d\\u{202e}e\\u{200b}f\\u{e0041}g⏎h');
  assert.equal(printable('x'.repeat(400)).length, 301);
  assert.deepEqual(table([[HOSTILE, 'y']])[0]?.includes('\u001b'), false);
});

test('a chat marker is printed as envelopes write it', () => {
  for (const marker of [
    '<|im_start|>',
    '＜｜im_start｜＞',
    '[INST]',
    '<function=x>',
    '<thinking>',
    'a\n\nassistant: b',
  ]) {
    const printed = printable(`before ${marker} after`);
    assert.equal(printed, quoteText(`before ${marker} after`).replaceAll('\n', '⏎'));
    assert.ok(!printed.includes(marker));
  }
});

test('JSON is printed without such characters and still means the same', () => {
  const text = jsonText({ [HOSTILE]: [HOSTILE, 'ä日本 😀'] });
  assert.doesNotMatch(text, /(?!\n)[\p{Cc}\p{Cf}]/u);
  assert.deepEqual(JSON.parse(text), { [HOSTILE]: [HOSTILE, 'ä日本 😀'] });
});

test('members are looked up by own names alone', () => {
  const value = JSON.parse('{"a":{"b":[1,true,"x"]},"__proto__":{"p":"own"}}') as never;
  assert.equal(at(value, 'a', 'b', 0), '1');
  assert.equal(at(value, 'a', 'b', 1), 'true');
  assert.equal(at(value, 'a'), '');
  assert.equal(at(value, '__proto__', 'p'), 'own');
  assert.equal(dig(value, 'constructor', 'name'), undefined);
  assert.deepEqual(list(value, 'a', 'b'), [1, true, 'x']);
  assert.deepEqual(list(value, 'nothing'), []);
});

test('columns line up', () => {
  assert.deepEqual(
    table([
      ['a', 'bb', 'c'],
      ['aaa', 'b', 'cc'],
    ]),
    ['a    bb  c', 'aaa  b   cc'],
  );
});
