import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Json, JsonObject } from '../../kernel/canonical-json.js';
import { digestOf, digestOfBytes } from '../../kernel/digest.js';
import { markerOf, quoteMarked } from './data-marks.js';
import { escapedStrings } from '../escaped-strings.js';
import { mapStrings, quoteText } from './invisible.js';
import { partsOf } from './parts.js';
import type { CallContext } from '../instructions/finding.js';
import { validateResponse, type ResponseInput, type ValidatedResponse } from '../response.js';
import { createSchemaValidator } from '../schema/schema-validator.js';
import { currentRules, type SearchRules } from '../search-rules.js';
import { MAX_FINDINGS } from '../search.js';
import { textsOf } from '../texts.js';
import { describe, test } from '../../../test/support/testing.js';

/** Spans of raw texts, in the texts that are delivered; and the search with rules of its own. */

const MARKER = '^1f3a';
const spice = fc.constantFrom(
  ' ',
  '\n',
  '\r\n',
  '\r',
  '\u200b',
  '\u{e0041}',
  '<|im_start|>',
  '\n\nassistant:',
  '[INST]',
  'ab',
  '\u2028',
  '\t',
);
const texts = fc
  .array(fc.oneof(spice, fc.string({ unit: 'binary', maxLength: 6 })), { maxLength: 12 })
  .map((all) => all.join(''));

/** A text without white space and markers, in which the order of characters alone counts. */
const bare = (text: string): string => text.replaceAll(MARKER, '').replace(/\\|\s/gu, '');

describe('a span', () => {
  test('of any raw text is at the same characters of the delivered one, and white space in it is marked', () => {
    fc.assert(
      fc.property(texts, fc.array(fc.tuple(fc.nat(60), fc.nat(30)), { minLength: 1, maxLength: 4 }), (text, places) => {
        fc.pre(!text.includes('^') && !text.includes('\\'));
        // A span never cuts a character of two units: detectors find whole ones.
        const whole = Array.from(text);
        const at = (index: number) => whole.slice(0, index).join('').length;
        const spans = places.map(([start, length]) => [at(start), at(start + length)] as const);
        const marked = quoteMarked(text, spans, MARKER);
        assert.equal(bare(marked.text), bare(quoteText(text)));
        for (const span of spans) {
          const [start, end] = marked.spanOf(span);
          assert.ok(start >= 0 && start <= end && end <= marked.text.length);
          const shown = marked.text.slice(start, end);
          assert.doesNotMatch(shown, /\s/u);
          assert.equal(bare(shown), bare(quoteText(`.${text.slice(...span)}`)).slice(1));
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('that is empty or touches another one loses nothing', () => {
    const marked = quoteMarked(
      'a b c d',
      [
        [0, 3],
        [3, 5],
        [6, 6],
      ],
      MARKER,
    );
    assert.equal(marked.text, `a${MARKER}b${MARKER}c d`);
    assert.deepEqual(marked.spanOf([0, 3]), [0, 2 + MARKER.length]);
  });
});

test('a marker is longer if the content holds a shorter one', () => {
  const boundary = '1f3a55f0'.repeat(4);
  assert.equal(markerOf(boundary, 'nothing'), '^1f3a');
  assert.equal(markerOf(boundary, 'x ^1f3a y ^1f3a5 z'), '^1f3a55');
});

test('strings and keys are numbered in the order in which they are cleaned', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (given) => {
      const value = { value: given as Json };
      const cleaned: string[] = [];
      mapStrings(value, (text) => (cleaned.push(text), text));
      const searched = [...textsOf([{ type: 'structured', value, path: '' }])].flatMap(({ text, pieces }) =>
        pieces.flatMap(({ at, length, place }) =>
          place.within === undefined ? [[place.ordinal, text.slice(at, at + length)] as const] : [],
        ),
      );
      for (const [ordinal, text] of searched) assert.equal(text, cleaned[ordinal]);
      assert.equal(new Set(searched.map(([ordinal]) => ordinal)).size, cleaned.length);
    }),
    { numRuns: 500 },
  );
});

test('a string of JSON in a string is read at each level', () => {
  let text = 'a "quoted"\nlie';
  for (let level = 0; level < 6; level += 1) text = JSON.stringify({ inner: text });
  const found = [...escapedStrings(text)].map((one) => one.text);
  assert.ok(found.includes('a "quoted"\nlie'));
  assert.deepEqual([...escapedStrings('"never \\" closed'.repeat(20_001))].length < 20_001, true);
});

/** Finds the word, and counts its uses. */
const rulesFor = (word: string, severity: 'info' | 'low' | 'high', fault?: Error): SearchRules => ({
  instructions: {
    digest: digestOfBytes(word),
    find(text) {
      if (fault !== undefined) throw fault;
      return Array.from(text.matchAll(new RegExp(word, 'g')), ({ index }) => ({
        detector: 'word',
        kind: 'override' as const,
        span: [index, index + word.length] as const,
        severity,
      }));
    },
  },
  pack: { digest: digestOfBytes('pack'), detect: () => [] },
});

const base = {
  source: { capability: 'm', version: '1', operation: 'o', server: { method: 'none', result: 'unauthenticated' } },
  limits: { maxBytes: 1e9, maxDepth: 64, maxParts: 1000 },
  boundarySeed: () => '0123456789abcdef0123456789abcdef',
  validator: createSchemaValidator({ maxCompiled: 4 }),
} as const;

function validated(result: JsonObject, rules: SearchRules, more: Partial<ResponseInput> = {}): ValidatedResponse {
  const searching = { rules, context: { operations: [], request: '' }, handling: 'quote', level: 'internal' } as const;
  return validateResponse({ ...base, result, searching, ...more });
}

const NOBODY: CallContext = { operations: [], request: '' };

const block = (text: string): JsonObject => ({ content: [{ type: 'text', text }] });

describe('the search', () => {
  test('a finding of severity high quarantines, low marks, info counts', () => {
    const of = (severity: 'info' | 'low' | 'high') => validated(block('obey  me'), rulesFor('obey  me', severity));
    const high = of('high');
    assert.deepEqual([high.verdict, high.handling, high.content?.quarantined], ['quarantined', 'quote', true]);
    const low = of('low');
    assert.deepEqual([low.verdict, low.handling, low.content?.quarantined], ['accepted', undefined, undefined]);
    assert.equal(low.content?.flagged?.length, 1);
    assert.ok(JSON.stringify(low.content.parts).includes('obey^0123me'));
    const info = of('info');
    assert.deepEqual([info.verdict, info.findings.length, info.content?.flagged], ['accepted', 1, undefined]);
    assert.ok(JSON.stringify(info.content?.parts).includes('obey  me'));
  });

  test('comes after the caps and the output schema, which reject before it', () => {
    const never = rulesFor('x', 'high', new Error('was searched'));
    const schema = { type: 'object', required: ['n'] };
    const outputSchema = { digest: digestOf(schema), load: (): Json => schema };
    const limits = { ...base.limits, maxBytes: 10 };
    assert.equal(validated(block('x'), never, { limits }).findings[0]?.detector, 'caps/too_large');
    const broken = validated({ structuredContent: { x: 'x' } }, never, { outputSchema });
    assert.deepEqual([broken.findings[0]?.detector, broken.label], ['output_schema/required', undefined]);
  });

  test('rejects the response if a detector throws', () => {
    const { verdict, findings, content } = validated(block('x'), rulesFor('x', 'low', new Error('a bug')));
    assert.deepEqual([verdict, findings[0]?.detector, content], ['rejected', 'response/exception', undefined]);
  });

  test('marks every span, names the most severe findings first, and counts the rest', () => {
    const many = validated(block('obey me '.repeat(100)), rulesFor('obey me', 'high'));
    assert.deepEqual([many.findings.length, many.leftOut], [MAX_FINDINGS, 100 - MAX_FINDINGS]);
    assert.equal(many.content?.flagged?.length, MAX_FINDINGS);
    assert.equal(JSON.stringify(many.content.parts).split('obey^0123me').length - 1, 100);
  });

  test('finds an instruction that is cut up over the members of an object, and marks each piece', () => {
    const value = { a: ['obey', 'me'] };
    const { content, findings } = validated({ structuredContent: value }, rulesFor('obey\nme', 'high'));
    assert.deepEqual(
      findings.map(({ path }) => path),
      ['/structuredContent/*/0', '/structuredContent/*/1'],
    );
    assert.equal(content?.quarantined, true);
  });

  test('names the key of a member, and a key that marking makes equal to another one rejects', () => {
    const keyed = validated({ structuredContent: { 'obey me': 1 } }, rulesFor('obey me', 'high'));
    assert.deepEqual([keyed.findings[0]?.key, keyed.findings[0]?.path], [true, '/structuredContent/*']);
    assert.deepEqual(keyed.content?.parts[0], { type: 'structured', value: { 'obey^0123me': 1 } });
    const equal = validated({ structuredContent: { 'obey me': 1, 'obey\u00a0me': 2 } }, rulesFor('obey.me', 'high'));
    assert.deepEqual(
      [equal.verdict, equal.findings[0]?.detector, equal.handling],
      ['rejected', 'envelope/key_collision', undefined],
    );
  });

  test('reads the strings of JSON in a text, and marks the whole string', () => {
    const text = 'note: {"a":"say \\"ob\\u0065y\\" me"} end';
    const { content, findings } = validated(block(text), rulesFor('obey" me', 'high'));
    const literal = text.slice(text.indexOf('"say'), text.indexOf('}'));
    assert.deepEqual(
      findings.map(({ path, span: [start, end] = [0, 0] }) => [path, text.slice(start, end)]),
      [['/content/0/text', literal]],
    );
    assert.ok(JSON.stringify(content?.parts).includes('^0123me'));
  });

  test('sees every text of a part, and nothing twice', () => {
    const seen: string[] = [];
    const rules = rulesFor('none', 'high');
    const noted = { ...rules, instructions: { ...rules.instructions, find: (text: string) => (seen.push(text), []) } };
    validated(
      { content: [{ type: 'text', text: 'one' }], structuredContent: { two: ['three', { four: 'x'.repeat(300) }] } },
      noted,
    );
    assert.deepEqual(seen, ['one', 'x'.repeat(300), 'two: three\nfour']);
    assert.equal(partsOf({ result: block('one') }).length, 1);
  });

  test('of a long response ends once it has many findings: all further texts are flagged whole', () => {
    const searched: string[] = [];
    const rules = rulesFor('obey', 'high');
    const noted = {
      ...rules,
      instructions: {
        ...rules.instructions,
        find: (text: string) => (searched.push(text), rules.instructions.find(text, NOBODY)),
      },
    };
    const texts = (first: string) =>
      [first, ...Array.from({ length: 9 }, () => 'x '.repeat(4096)), 'last one'].map((text) => ({
        type: 'text',
        text,
      }));
    const many = validated({ content: texts('obey '.repeat(64)) }, noted);
    // 64 Ki units are searched before the rest is flagged.
    assert.equal(searched.length, 9);
    assert.deepEqual([many.verdict, many.leftOut], ['quarantined', 2]);
    assert.ok(JSON.stringify(many.content?.parts).includes('last^0123one'));
    searched.length = 0;
    const few = validated({ content: texts('obey '.repeat(63)) }, noted);
    assert.deepEqual([searched.length, few.leftOut], [11, undefined]);
    assert.ok(JSON.stringify(few.content?.parts).includes('last one'));
  });

  test('tells the view of the linear model: score, threshold, and spans of n-grams in the same text', () => {
    const said = 'It was please your answer, please your reply.';
    const structured = { structuredContent: { note: 'x'.repeat(300), said } };
    const { findings } = validated(structured, currentRules());
    const finding = findings.find(({ kind, key }) => kind === 'linear_model' && key === undefined);
    assert.ok(finding?.model !== undefined && finding.model.score >= finding.model.threshold);
    assert.equal(finding.path, '/structuredContent/*');
    assert.ok(finding.model.spans.length > 0);
    // Each span is of whole words.
    for (const [start, end] of finding.model.spans) {
      assert.match(said.slice(Math.max(0, start - 1), start), /^[^a-z]?$/i);
      assert.match(said.slice(start, end), /^[a-z]+(?:[ ,]+[a-z]+)*$/i);
      assert.match(said.slice(end, end + 1), /^[^a-z]?$/i);
    }
  });
});
