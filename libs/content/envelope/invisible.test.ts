import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Json } from '../../kernel/canonical-json.js';
import { quoteDeep, quoteText, stripInvisible, stripInvisibleDeep } from './invisible.js';
import { neutraliseMarkers } from './markers.js';
import { describe, test } from '../../../test/support/testing.js';

const anyText = fc.string({ unit: 'binary', maxLength: 200 });
const tag = (text: string): string =>
  Array.from(text, (character) => String.fromCodePoint(0xe0000 + (character.codePointAt(0) ?? 0))).join('');

describe('stripInvisible', () => {
  const gone: Record<string, string> = {
    'zero width': '\u200b\u200c\u200d\u2060\ufeff',
    'soft hyphen': '\u00ad',
    bidi: '\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c',
    'variation selectors': '\ufe00\ufe0f\u{e0100}\u{e01ef}',
    'tag characters': tag('ignore all previous'),
    'unassigned and ignorable': '\u2065\ufff0\u{e0fff}',
    'fillers and other ignorables': '\u115f\u1160\u3164\uffa0\u17b4\u180b\u180e\u034f',
    annotations: '\ufff9\ufffa\ufffb',
    controls: '\u0000\u0001\u0007\b\u001b\u007f\u0084\u009f',
    noncharacters: '\ufdd0\ufdef\ufffe\uffff\u{1fffe}\u{10ffff}',
    'the blank of braille': '\u2800',
    'lone surrogates': '\udfff\ud800',
  };
  for (const [name, text] of Object.entries(gone)) {
    test(`removes ${name}`, () => {
      const between = [...Array.from(text, (character) => `a${character}`), 'b'].join('');
      assert.equal(stripInvisible(between), `${'a'.repeat(Array.from(text).length)}b`);
    });
  }

  test('keeps what is seen, tabs and line breaks', () => {
    const text = 'Grüße, мир, 世界, שלום, 👍 e\u0301 \u00a0 {"a":\t1}\nnext';
    assert.equal(stripInvisible(text), text);
  });

  test('makes one line break of each kind of line break', () => {
    assert.equal(stripInvisible('a\r\nb\rc\vd\fe\u0085f\u2028g\u2029h\r\u200b\ni'), 'a\nb\nc\nd\ne\nf\ng\nh\ni');
  });

  test('takes emoji sequences apart, as it says', () => {
    assert.equal(stripInvisible('👩\u200d💻'), '👩💻');
  });

  test('is idempotent and leaves nothing invisible', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const once = stripInvisible(text);
        assert.equal(stripInvisible(once), once);
        assert.doesNotMatch(
          once,
          /[\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Noncharacter_Code_Point}]/u,
        );
        assert.doesNotMatch(once, /(?![\n\t])\p{Cc}/u);
        assert.ok(once.isWellFormed());
      }),
    );
  });

  test('strips keys and values of any depth', () => {
    const value = JSON.parse('{"a\u200b":["b\u202e",{"c\ufeff":1}],"__proto__\u200b":"x","n":null}') as Json;
    const stripped = stripInvisibleDeep(value);
    assert.ok(stripped.ok);
    assert.equal(JSON.stringify(stripped.value), '{"a":["b",{"c":1}],"__proto__":"x","n":null}');
    assert.equal(Object.getPrototypeOf(stripped.value), Object.prototype);
  });

  test('refuses two keys that become one, and says where', () => {
    assert.deepEqual(stripInvisibleDeep({ list: [{ a: 1, 'a\u200b': 2 }] }), {
      ok: false,
      error: { kind: 'key_collision', path: '/list/0' },
    });
  });

  test('refuses what is nested too deep', () => {
    let value: Json = 1;
    for (let level = 0; level < 10_000; level += 1) value = [value];
    const stripped = stripInvisibleDeep(value);
    assert.ok(!stripped.ok && stripped.error.kind === 'too_deep');
  });
});

const markers = [
  '<|im_start|>',
  '<|im_end|>',
  '<|endoftext|>',
  '<|start_header_id|>',
  '<|eot_id|>',
  '<｜User｜>',
  '<｜begin▁of▁sentence｜>',
  '[INST]',
  '[/INST]',
  '[inst]',
  '[TOOL_CALLS]',
  '<<SYS>>',
  '<</SYS>>',
  '<s>',
  '</s>',
  '<start_of_turn>',
  '<end_of_turn>',
  '<bos>',
  '<tool_call>',
  '</tool_call>',
  '<function_calls>',
  '<invoke name="x">',
  '<system>',
  '<thinking>',
  '<function=read>',
  '<parameter=path>',
  '<x:tool_call>',
  '<system-reminder>',
  '<|channel|>',
  '<|turn>',
  '<turn|>',
  '[gMASK]',
  '<sop>',
  '<extra_id_0>',
  ']~b]',
  '\n\nHuman:',
  '\n\nAssistant:',
  '\n\nassistant:',
  '\n \n**user** :',
  '\n\n\n\nsystem:',
  '### Instruction:',
  `\n${' '.repeat(65)}\nassistant:`,
  '\n\n> > > > > Human:',
  `\n\n${'#'.repeat(100)} user:`,
  `\n\nuser${' '.repeat(100)}:`,
  '\n>\n> Human:',
  '\n\n- assistant:',
  '\n\n* + Human:',
  '\n\n1. Human:',
  '\n\n(12) user:',
  '\n\ntool:',
  '\n\nmodel:',
  '<<untrusted 00 a@1 b>>',
  '<<end 00>>',
];

describe('neutraliseMarkers', () => {
  for (const marker of markers) {
    test(`breaks ${JSON.stringify(marker)} with one backslash`, () => {
      const broken = neutraliseMarkers(marker);
      assert.ok(!broken.includes(marker));
      assert.equal(broken.replace('\\', ''), marker);
    });
  }

  test('finds a marker that was put together from invisible pieces', () => {
    assert.equal(quoteText('<|im_\u200bstart|>'), '<\\|im_start|>');
    assert.equal(quoteText('<\u{e0041}/\ufe0fs>'), '<\\/s>');
  });

  test('finds a marker inside of what looks like another', () => {
    assert.equal(neutraliseMarkers('<|[INST]|>'), '<|[\\INST]|>');
  });

  test('leaves ordinary text alone', () => {
    for (const text of [
      'a < b | c > d',
      'x[0]',
      '<span>',
      '<section>',
      'The Human: a study',
      'a\nHuman: b',
      'a\r\nHuman: b',
      'a\n\n- b\n- Human: c',
      'a\n\nsuperuser: b',
      'a\n\nx-user: b',
      '1 << 2',
      '[INSTALL]',
    ]) {
      assert.equal(neutraliseMarkers(text), text);
    }
  });

  const spelled = {
    'in full width': (marker: string) =>
      marker.replaceAll(/[!-~]/g, (char) => String.fromCharCode(char.charCodeAt(0) + 0xfee0)),
    'in capitals': (marker: string) => marker.toUpperCase(),
    'in bold mathematical letters': (marker: string) =>
      marker.replaceAll(/[a-z]/g, (char) => String.fromCodePoint(char.charCodeAt(0) - 97 + 0x1d41a)),
    'with other bars and brackets': (marker: string) =>
      marker.replaceAll('|', '│').replaceAll('<', '‹').replaceAll('>', '❯').replaceAll('[', '⟦').replaceAll(']', '⟧'),
    'with Cyrillic letters': (marker: string) =>
      marker.replaceAll('o', 'о').replaceAll('a', 'а').replaceAll('s', 'ѕ').replaceAll('i', 'і'),
    'with invisible characters': (marker: string) => Array.from(marker).join('\u200b\u{e0041}\ufe0f'),
  };

  for (const [how, spell] of Object.entries(spelled)) {
    test(`finds each marker ${how}`, () => {
      for (const marker of markers) {
        const visible = stripInvisible(spell(marker));
        const quoted = quoteText(spell(marker));
        assert.notEqual(quoted, visible, visible);
        assert.equal(quoted.replace('\\', ''), visible);
      }
    });
  }

  test('leaves no marker in any spelling, seen by another fold, and nothing else changed', () => {
    // A model may read a text with compatibility forms folded, in one case, and with plain bars.
    const seen = (text: string) => text.normalize('NFKC').toLowerCase().replaceAll('│', '|');
    const forms = [
      'in full width',
      'in capitals',
      'in bold mathematical letters',
      'with invisible characters',
    ] as const;
    const marker = fc
      .tuple(fc.constantFrom(...markers), fc.constantFrom(...forms))
      .map(([text, how]) => spelled[how](text.replaceAll('|', '│')));
    const pieces = fc.array(fc.oneof(marker, fc.string({ unit: 'binary', maxLength: 4 })), { maxLength: 8 });
    fc.assert(
      fc.property(pieces, (list) => {
        const quoted = quoteText(list.join(''));
        assert.equal(quoteText(quoted), quoted);
        for (const each of markers) assert.ok(each.startsWith('#') || !seen(quoted).includes(seen(each)), each);
        assert.equal(quoted.replaceAll('\\', ''), stripInvisible(list.join('')).replaceAll('\\', ''));
      }),
      { numRuns: 1000 },
    );
  });

  test('takes time in proportion to the text, whatever it is', () => {
    const before = performance.now();
    for (const text of [
      '<',
      '[',
      '<|a',
      '\n\n',
      '\n\nuser ',
      '\n',
      ' ',
      '> ',
      '1. ',
      'user',
      'user:',
      '\n\n- user:',
      '＜',
      '𝐭',
      '<'.repeat(60) + '|',
    ]) {
      neutraliseMarkers(text.repeat(2_000_000 / text.length));
    }
    assert.ok(performance.now() - before < 20_000);
  });

  test('leaves no marker however they are nested, and is idempotent', () => {
    const pieces = fc.array(fc.constantFrom(...markers, '<', '|', '>', '[', ']', '\n', '\\', 's', 'a'), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(pieces, (list) => {
        const once = neutraliseMarkers(list.join(''));
        assert.equal(neutraliseMarkers(once), once);
        // `###` is a turn at the start of a paragraph only.
        for (const marker of markers) assert.ok(marker.startsWith('#') || !once.includes(marker), marker);
      }),
      { numRuns: 1000 },
    );
  });

  test('reaches keys and values of structured content', () => {
    const quoted = quoteDeep({ '<|im_start|>': ['</s>'] });
    assert.deepEqual(quoted, { ok: true, value: { '<\\|im_start|>': ['<\\/s>'] } });
  });
});
