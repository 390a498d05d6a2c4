import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { z } from 'zod';
import { readPattern, type Pattern } from './pattern.js';
import { describe, test } from '../../../test/support/testing.js';

function compiled(source: string): Pattern {
  const read = readPattern(source);
  assert.ok(read.ok, `${source}: ${read.ok ? '' : read.error}`);
  const pattern = read.value.compile();
  assert.ok(pattern.ok, `${source}: ${pattern.ok ? '' : pattern.error}`);
  return pattern.value;
}
const matches = (source: string, text: string): boolean => compiled(source).test(text);

/** Says of each text what V8 says of it, which backtracks: for short texts only. */
function agrees(source: string, texts: readonly string[], flags = 'u'): void {
  const own = compiled(source);
  const expected = new RegExp(source, flags);
  for (const text of texts) {
    assert.equal(own.test(text), expected.test(text), `${source} on ${JSON.stringify(text)}`);
  }
}

const TEXTS = [
  '',
  'a',
  'ab',
  'a\n',
  '\n',
  '\r',
  'a\u2028',
  'a.b',
  'a..b',
  'é',
  '😀',
  'a😀',
  'A1b2',
  '-a',
  'a-',
  '_',
  ' ',
];

describe('readPattern', () => {
  test('reads the escapes of ECMA-262', () => {
    assert.equal(matches('^\\u0041\\u{1F600}\\uD83D\\uDE00$', 'A\u{1F600}\u{1F600}'), true);
    assert.equal(matches('^\\\\u0041$', '\\u0041'), true);
    assert.equal(matches('^\\\\u0041$', 'A'), false);
    assert.equal(matches('^\\cJ\\x41\\0\\/\\-?$'.replace('\\-', '-'), '\nA\0/'), true);
    assert.equal(matches('^(?<year>\\d{4})$', '2026'), true);
  });

  test('means by every class what ECMA-262 means', () => {
    const every = Array.from({ length: 0x3100 }, (_, code) => String.fromCodePoint(code));
    const texts = [...every, '\ufeff', '\ufefe', '😀', '\u{10ffff}', '٣', 'ſ', 'K'];
    for (const source of [
      '^.$',
      '^\\s$',
      '^\\S$',
      '^\\d$',
      '^\\D$',
      '^\\w$',
      '^\\W$',
      '^[^]$',
      '^[]$',
      '^[\\S\\n]$',
      '\\b',
    ]) {
      agrees(source, texts);
    }
    for (const name of [
      'L',
      'Letter',
      'gc=Lu',
      'General_Category=Nd',
      'Script=Greek',
      'sc=Han',
      'Alphabetic',
      'Emoji',
    ]) {
      agrees(`^\\p{${name}}$`, texts);
      agrees(`^[\\P{${name}}x]$`, texts);
    }
  });

  test('takes `[:` in a class for two characters', () =>
    agrees('^I?\\d+[:|-]\\d+(?:;\\d+[:|-]\\d+)*$', ['1:2', '1|2;3-4', 'I1:2', '1']));

  test('matches anywhere, and to the very end only', () => {
    assert.equal(matches('b', 'abc'), true);
    assert.equal(matches('^a$', 'a\n'), false);
  });

  test('reads what only the older mode of ECMA-262 accepts', () => {
    for (const source of ['^[\\w-.]+$', "^\\_\\@\\'\\ $", '^{a}$', '^a}]$', '^[\\d-x]$', '^\\-$']) {
      assert.throws(() => new RegExp(source, 'u'));
      agrees(source, [...TEXTS, 'a-.b', "_@' ", '{a}', 'a}]', '5', 'x'], '');
    }
  });

  test('reads the two forms of other dialects that ECMA-262 does not know', () => {
    assert.equal(matches('(?i)^select', 'SELECT 1'), true);
    assert.equal(matches('^(?P<key>[a-z]+)=', 'key=1'), true);
    assert.equal(matches('^[(?P<]+\\(?$', '(?P<'), true);
  });

  test('rewrites look-arounds at a place that is fixed', () => {
    const texts = [
      ...TEXTS,
      'Aa1!Aa1!',
      'aaaaaaaa',
      'Aa1',
      'http://a',
      'https://localhost',
      'http://localhost',
      'ab-',
      'foo',
      'xfoox',
    ];
    for (const source of [
      '^(?!.*\\.\\.)(?=.*[a-z])[^ ]+$',
      '^(?=.*[A-Z])(?=.*\\d)(?=.*[!]).{8,}$',
      '(?=.*a)^(?!-)[a-z-]+$',
      '^https?://(?!localhost).+',
      '^(?:(?!a)\\w|b)+$'.replace('+$', '$'),
      '^[a-z-]+(?<!-)$',
      '^(?!-)[a-z-]*(?<!-)(?<!\\.)$',
      '^((?!foo).)*$',
      '^(?!(?=a)ab)\\w*$',
      '^(?:a|(?=b)b?|)$',
    ]) {
      agrees(source, texts);
    }
  });

  test('reads every pattern that zod writes into a schema', () => {
    const kinds = [
      z.email(),
      z.uuid(),
      z.url(),
      z.emoji(),
      z.ipv4(),
      z.ipv6(),
      z.cidrv4(),
      z.cidrv6(),
      z.base64(),
      z.base64url(),
    ];
    const more = [
      z.nanoid(),
      z.cuid(),
      z.cuid2(),
      z.ulid(),
      z.xid(),
      z.ksuid(),
      z.e164(),
      z.hostname(),
      z.jwt(),
      z.guid(),
    ];
    const dates = [z.iso.date(), z.iso.time(), z.iso.datetime({ offset: true })];
    const parts = [
      z.string().includes('a.b'),
      z.string().startsWith('('),
      z.string().endsWith('$'),
      z.string().lowercase(),
    ];
    const html5 = [
      z.email({ pattern: z.regexes.html5Email }),
      z.email({ pattern: z.regexes.rfc5322Email }),
      z.email({ pattern: z.regexes.unicodeEmail }),
    ];
    const texts = [
      'ada@example.com',
      'a..b@example.com',
      '.a@b.co',
      '2026-02-29',
      '2024-02-29',
      '10:00:00Z',
      'P1D',
      'P',
      '::1',
      '10.0.0.1',
      '10.0.0.1/8',
      'a-b.example.com',
      `${'a'.repeat(64)}.com`,
      '+4912345678',
      'aGk=',
      'aGk',
      '😀',
      '2026-01-01T00:00:00+01:00',
      'xa.bx',
      '(x',
      'x$',
      'ada+b@exa_mple.c',
    ];
    let found = 0;
    for (const schema of [...kinds, ...more, ...dates, ...parts, ...html5]) {
      const written = z.toJSONSchema(schema as z.ZodType) as { pattern?: string; allOf?: { pattern?: string }[] };
      const sources = [written.pattern, ...(written.allOf ?? []).map(({ pattern }) => pattern)];
      for (const source of sources) {
        if (source === undefined) continue;
        found += 1;
        agrees(source, [...TEXTS, ...texts], z.regexes.rfc5322Email.source === source ? '' : 'u');
      }
    }
    assert.ok(found >= 25, String(found));
  });

  test('repeats as often as the pattern says, however often', () => {
    for (const [source, atom, min, max] of [
      ['^.{1,10000}$', 'x', 1, 10_000],
      ['^[\\s\\S]{0,9000}$', '😀', 0, 9000],
      ['^(?:ab){1200,3000}$', 'ab', 1200, 3000],
      ['^x{2500}$', 'x', 2500, 2500],
      ['^(?=.{1,5000}$)x*$', 'x', 1, 5000],
    ] as const) {
      const pattern = compiled(source);
      for (const count of [min - 1, min, max, max + 1]) {
        if (count < 0) continue;
        assert.equal(pattern.test(atom.repeat(count)), count >= min && count <= max, `${source} on ${count}`);
      }
    }
    assert.equal(matches('x{900,10000}', `a${'x'.repeat(900)}`), true);
    assert.equal(matches('x{900,10000}', `a${'x'.repeat(899)}`), false);
    assert.equal(matches('^id-.{1,10000}\\.txt$', `id-${'x'.repeat(10_000)}.txt`), true);
    assert.equal(matches('^id-.{1,10000}\\.txt$', `id-${'x'.repeat(10_001)}.txt`), false);
  });

  test('is linear on what makes backtracking explode', () => {
    const started = performance.now();
    assert.equal(matches('^(a+)+$', `${'a'.repeat(50_000)}!`), false);
    assert.ok(performance.now() - started < 1500);
  });

  for (const source of [
    '\\Qa(\\E{1000}',
    '(?=a)',
    '^a+(?=b)',
    '^a+(?!b)c',
    '(a)\\1',
    '(?<x>a)\\k<x>',
    '(',
    '^(?:x{2000}y?){3}$',
    z.regexes.duration.source,
    '^x{3,4000}y?$',
    'a**',
    '\\p{Nonsense}',
    '\\p{Script_Extensions=Greek}',
    '\\a',
    '(?m:^a)',
    '^(?=a)*b',
    `^${'(?=(?:a|b|c))'.repeat(80)}`,
  ]) {
    test(`refuses ${source.slice(0, 40)}`, () => {
      const read = readPattern(source);
      assert.equal(read.ok && read.value.compile().ok, false);
    });
  }
});

const ATOMS = ['a', 'b', '.', '[ab]', '[^a]', '\\w', '\\s', '(?:ab|c)', '(a|)', '\\n', '\\u{1F600}', '\\b'];
const anyText = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' ', '\n', '\u2028', '😀', '.'), maxLength: 7 });
const piece = fc
  .tuple(fc.constantFrom(...ATOMS), fc.constantFrom('', '', '', '*', '?', '+', '{2}', '{1,3}', '{0,70}', '{70,}'))
  .map(([atom, suffix]) => (atom === '\\b' ? atom : atom + suffix));
const { source: anySource } = fc.letrec<{ source: string; branch: string; part: string; look: string }>((tie) => ({
  look: fc.tuple(fc.constantFrom('(?=', '(?!', '(?<=', '(?<!'), tie('branch')).map(([open, body]) => `${open}${body})`),
  part: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    { weight: 6, arbitrary: piece },
    { weight: 2, arbitrary: tie('look') },
    {
      weight: 1,
      arbitrary: fc
        .tuple(tie('source'), fc.constantFrom('', '?', '*', '{1,2}'))
        .map(([inner, suffix]) => `(?:${inner})${suffix}`),
    },
  ),
  branch: fc
    .tuple(fc.constantFrom('^', '^', ''), fc.array(tie('part'), { maxLength: 4 }), fc.constantFrom('$', '$', ''))
    .map(([start, parts, end]) => start + parts.join('') + end),
  source: fc.array(tie('branch'), { minLength: 1, maxLength: 2 }).map((branches) => branches.join('|')),
}));

describe('readPattern, against the regular expressions of V8', () => {
  test('says the same of every text, look-arounds included', () => {
    let compared = 0;
    let looks = 0;
    fc.assert(
      fc.property(anySource, fc.array(anyText, { minLength: 8, maxLength: 8 }), (source, texts) => {
        const read = readPattern(source);
        if (!read.ok) return;
        compared += 1;
        if (/\(\?<?[=!]/.test(source)) looks += 1;
        agrees(source, [...texts, '', 'a', 'ab', 'ba', 'a\n']);
      }),
      { numRuns: 1500 },
    );
    assert.ok(compared > 700 && looks > 100, `${compared} patterns, ${looks} with look-arounds`);
  });

  test('never compiles to much more than was estimated', () => {
    fc.assert(
      fc.property(anySource, (source) => {
        const read = readPattern(source);
        const pattern = read.ok ? read.value.compile() : undefined;
        if (!read.ok || pattern?.ok !== true) return;
        assert.ok(pattern.value.size <= 3 * read.value.size + 16, `${pattern.value.size} > ${read.value.size}`);
      }),
      { numRuns: 300 },
    );
  });
});
