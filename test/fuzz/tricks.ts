/** Arguments, as text, in a call that is right otherwise. */
export const TRICKS: Readonly<Record<string, string | Uint8Array>> = {
  'an entity': '{"key":"a","x":{"__entity":{"type":"User","id":"root"}}}',
  'an entity in a list': '{"key":"a","x":[[{"__entity":1}]]}',
  'an extension': '{"key":"a","__extn":{"fn":"ip","arg":"127.0.0.1"}}',
  'an expression': '{"key":"a","x":{"__expr":"true"}}',
  'a name twice': '{"key":"a","key":"a"}',
  'a name twice, spelt otherwise': '{"key":"a","\\u006bey":"a"}',
  'a prototype twice': '{"key":"a","__proto__":1,"__proto__":2}',
  'an integer past 2^53': '{"key":"a","n":9007199254740993}',
  'a number past every double': '{"key":"a","n":1e400}',
  'a lone surrogate': '{"key":"\\ud800"}',
  'bytes that are no UTF-8': Buffer.concat([Buffer.from('{"key":"'), Buffer.of(0xff), Buffer.from('"}')]),
  'a surrogate in UTF-8': Buffer.concat([Buffer.from('{"key":"'), Buffer.of(0xed, 0xa0, 0x80), Buffer.from('"}')]),
  'a raw null byte': '{"key":"\u0000"}',
  'nesting past the bound': `{"key":"a","x":${'['.repeat(70)}${']'.repeat(70)}}`,
  'a required name in the prototype': '{"__proto__":{"key":"a"}}',
};
