import assert from 'node:assert/strict';
import { RE2JS } from 're2js';
import { sampleOf, SECRET_FORMATS, seeded, type SecretFormat } from '../../../test/eval/secret-formats.js';
import { test } from '../../../test/support/testing.js';
import secrets from '../packs/1/secrets.json' with { type: 'json' };
import { detectorOf, type Detector } from './detector.js';
import { CURRENT_PACK, packOf } from './packs.js';
import { costOf } from './pattern-cost.js';
import { RuleFile } from './rules.js';
import { expanded } from './scanner.js';
import { redacted } from './spans.js';

const file = RuleFile.parse(secrets);
const pack = packOf(CURRENT_PACK);
assert.ok(pack);

const SAMPLES = 10;
const samples = (format: SecretFormat): ReturnType<typeof sampleOf>[] =>
  Array.from({ length: SAMPLES }, (_, seed) => sampleOf(format, seeded(seed * 7919 + format.template.length)));

/** The samples of a format that a detector misses, or finds as something else. */
const missed = ({ detect }: Pick<Detector, 'detect'>, format: SecretFormat): string[] =>
  samples(format).flatMap(({ text, start, end }) => {
    const found = detect(text).find((span) => span.start <= start && span.end >= end);
    return found?.type === `secret:${format.kind}` ? [] : [`${format.template}: ${redacted(text, detect(text))}`];
  });

test('each format is found whole and by its kind', () => {
  assert.deepEqual(
    SECRET_FORMATS.flatMap((format) => missed(pack, format)),
    [],
  );
});

test('each kind of the pack has a format in the table', () => {
  const kinds = new Set(SECRET_FORMATS.map(({ kind }) => kind));
  assert.deepEqual(
    [...new Set(file.rules.map(({ kind }) => kind))].filter((kind) => !kinds.has(kind)),
    [],
  );
});

test('without any one of its rules the pack misses a format', () => {
  const useless = file.rules.flatMap((rule, index) => {
    const rules = file.rules.filter((_, other) => other !== index);
    const rest = detectorOf([{ ...file, rules }]);
    const formats = SECRET_FORMATS.filter(({ kind }) => kind === rule.kind);
    return formats.some((format) => missed(rest, format).length > 0) ? [] : [`${rule.kind} ${rule.pattern}`];
  });
  assert.deepEqual(useless, []);
});

test('a format does not begin within a word, and a part of it is no secret', () => {
  const found: string[] = [];
  for (const format of SECRET_FORMATS.filter(({ template }) => /^[A-Za-z0-9_.-]{2,12}\{/.test(template))) {
    for (const { text } of samples(format).slice(0, 3)) {
      for (const other of [`x${text}`, text.slice(0, 12)]) {
        const spans = pack.detect(other).filter(({ type }) => type === `secret:${format.kind}`);
        if (spans.length > 0) found.push(`${format.template}: ${other}`);
      }
    }
  }
  assert.deepEqual(found, []);
});

const NO_SECRETS = [
  'password: required, at least 12 characters',
  'The password is incorrect',
  'password = getPassword(user)',
  'password: ${DB_PASSWORD}',
  'DB_PASSWORD=********',
  'password="<your password here>"',
  'token: string;',
  'const token = tokenizer.next();',
  'max_tokens: 4096, token_count: 1234567890',
  '"nextPageToken": "CAUQAA7fj39dk2ls0slfk3jd9"',
  'secret: process.env.SECRET_1',
  'api_key: YOUR_API_KEY_1234567890',
  'sk-some-css-class-name-with-hyphens-2',
  'commit 9fceb02d0ae598e95dc970b74767f19372d61af8',
  'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  'id 550e8400-e29b-41d4-a716-446655440000',
  'https://example.org/a/b?c=d&e=f',
  'https://user:password@example.org/',
  '-----BEGIN PRIVATE KEY----- is the header of a key',
  '-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----',
  'Authorization: Bearer <token>',
  `aws_secret_access_key = ${'A1'.repeat(20)}`,
  'import auth "github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"',
];

test('text about secrets is none', () => {
  for (const text of NO_SECRETS) {
    assert.deepEqual(
      pack.detect(text).filter(({ type }) => type.startsWith('secret:')),
      [],
      text,
    );
  }
});

/** Steps of one attempt that a pattern may take at most. A rule that reads each run of characters once may take more. */
const MAX_COST = 2_000;
const MAX_COST_ONCE = 40_000;

test('each pattern is one that RE2 compiles, without backtracking that multiplies', () => {
  const costly = file.rules.flatMap((rule) => {
    const pattern = expanded(rule.pattern, file);
    assert.doesNotThrow(() => RE2JS.compile(pattern), `${rule.kind}: ${pattern}`);
    const cost = costOf(pattern);
    return cost <= (rule.whole === true ? MAX_COST_ONCE : MAX_COST) ? [] : [`${rule.kind} ${cost}: ${pattern}`];
  });
  assert.deepEqual(costly, []);
});

test('JavaScript and RE2 find the same by each pattern', () => {
  for (const rule of file.rules) {
    const pattern = expanded(rule.pattern, file);
    const [ours, theirs] = [new RegExp(pattern), RE2JS.compile(pattern)];
    for (const format of SECRET_FORMATS.filter(({ kind }) => kind === rule.kind)) {
      const { text } = sampleOf(format, seeded(1));
      const matcher = theirs.matcher(text);
      const [found] = matcher.find() ? [matcher.group()] : [];
      assert.equal(ours.exec(text)?.[0], found, pattern);
    }
  }
});
