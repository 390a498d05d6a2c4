import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { test } from '../../test/support/testing.js';
import { readJson } from '../../test/golden/files.js';
import { parseEvent, type Event } from '../event-log/event.js';
import { canonicalJson, type JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { toInstant } from '../kernel/time.js';
import { families, familyOf } from '../streams/catalogue.js';
import { sealFact } from '../streams/facts.js';
import { CheckName, Effect, Level, ReasonCode } from '../vocabulary/words.js';
import { CallDecided, type RecordedCheck } from './events.js';
import { CHECK_LIST, packDecided, unpackDecided } from './recorded.js';

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => `sha256:${hexOf(bytes)}` as const);
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const label = fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }).filter((text) => text.trim() !== '');
const instant = fc.integer({ min: 0, max: 4_000_000_000_000 }).map(toInstant);
const evidence = fc.dictionary(fc.constantFrom('a', 'expected', 'observed'), fc.jsonValue(), { maxKeys: 3 });

/** The checks of real decisions: passed and skipped ones in their order, then at most one that failed. */
const ordered: fc.Arbitrary<RecordedCheck[]> = fc
  .record({
    outcomes: fc.array(fc.boolean(), { maxLength: CHECK_LIST.length }),
    failed: fc.option(fc.option(evidence, { nil: 'none' as const }), { nil: undefined }),
  })
  .map(({ outcomes, failed }) => {
    const checks = outcomes.map((passed, index): RecordedCheck => {
      const check = CHECK_LIST[index] as CheckName;
      return passed ? check : [check, 'skipped'];
    });
    const last = CHECK_LIST[checks.length];
    if (failed === undefined || last === undefined) return checks;
    return [...checks, failed === 'none' ? [last, 'fail'] : [last, 'fail', failed]];
  });

const checkName = fc.constantFrom(...CheckName.options);
const anyCheck: fc.Arbitrary<RecordedCheck> = fc.oneof(
  checkName,
  fc.tuple(checkName, fc.constantFrom('fail' as const, 'skipped' as const)),
  fc.tuple(checkName, fc.constantFrom('fail' as const, 'skipped' as const), evidence),
);

const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const revision = fc.integer({ min: 0, max: 1_000_000 });

const level = fc.constantFrom(...Level.options);
const flow = fc.record({ categories: fc.array(name, { maxLength: 2 }), level, path: fc.string(), source: name });

const members = fc.record({
  agent: optional(label),
  approval: optional(fc.uuid()),
  attempt: fc.integer({ min: 1, max: 5 }),
  callId: fc.uuid(),
  capability: name,
  checks: fc.oneof(ordered, fc.array(anyCheck, { maxLength: 20 })),
  commitments: fc.record({ arguments: digest, context: digest, labels: digest }, { requiredKeys: [] }),
  contextItems: fc.integer({ min: 0, max: 3 }),
  counts: optional(fc.integer({ min: 0, max: 9 })),
  decision: fc.constantFrom('allow' as const, 'deny' as const),
  effects: optional(fc.array(fc.constantFrom(...Effect.options), { maxLength: 3 })),
  engines: fc.oneof(
    fc.record({ cedar: fc.string(), decider: fc.integer({ min: -5, max: 99 }) }),
    fc.record({ cedar: fc.string(), decider: fc.nat(9), pack: digest }),
    fc.record({ cedar: name, decider: fc.nat(9), filter: fc.oneof(name, fc.nat(9)) }),
  ),
  expiresAt: optional(instant),
  host: name,
  inputs: optional(
    fc
      .record({ contextLevel: optional(level), flow: optional(fc.array(flow, { maxLength: 2 })) })
      .map((inputs) => defined(inputs)),
  ),
  instanceId: optional(fc.uuid()),
  observed: fc
    .record({
      definition: optional(digest),
      probe: optional(digest),
      whole: optional(fc.constant(true as const)),
      server: fc.record({ integrity: fc.string({ maxLength: 50 }), method: fc.constant('package' as const) }),
    })
    .map((observed) => defined(observed)),
  operation: label,
  reason: fc.constantFrom('ok' as const, ...ReasonCode.options),
  requestDigest: optional(digest),
  rule: optional(fc.string({ maxLength: 9 })),
  taskId: fc.uuid(),
  user: optional(label),
  version: optional(fc.constant('1.0.0')),
});

/** A basis that names what the decision consulted, or any other. */
const decided = members.chain((data) => {
  const streams = [`capability-${data.capability}`, 'directives', 'policy-default', `principal-${data.host}`];
  const consulted = fc
    .tuple(fc.array(revision, { minLength: 4, maxLength: 5 }), fc.constant([...streams, `task-${data.taskId}`]))
    .map(([revisions, names]) => Object.fromEntries(revisions.map((each, index) => [names[index], each])));
  const any = fc.dictionary(fc.oneof(name, fc.constantFrom(...streams)), revision, { maxKeys: 6 });
  return fc.oneof(consulted, any).map((basis) => defined({ ...data, basis }));
});

const place = fc.record({ ofTask: fc.boolean(), byHost: fc.boolean(), time: instant });

const bare = { revision: 1, schemaVersion: 5, type: 'CallDecided' };

test('what version 5 says is what version 4 would have said, for any decision', () => {
  const property = fc.property(decided, place, (written, { ofTask, byHost, time }) => {
    const data = JSON.parse(canonicalJson(CallDecided.parse(written))) as CallDecided;
    const stream = ofTask ? `calls-${data.taskId}` : `refusals-${data.host}`;
    const event = { stream, actor: byHost ? data.host : 'somebody', time, data };
    const packed = packDecided(event);
    assert.deepEqual(Object.keys(packed), Object.keys(packed).sort(), 'written in the order of RFC 8785');
    const text = canonicalJson(packed);
    const read = unpackDecided({ ...bare, ...event, data: JSON.parse(text) as JsonObject }) as object;
    assert.deepStrictEqual(read, data);
    assert.deepEqual(Object.keys(read), Object.keys(read).sort());
  });
  fc.assert(property, { numRuns: 2000 });
});

test('data that is no version 5 is never read as one, and never throws', () => {
  const members = ['basis', 'checks', 'commitments', 'engines', 'expiresAt', 'instanceId', 'requestDigest', 'taskId'];
  const damaged = fc.dictionary(fc.constantFrom(...members, '__proto__', 'other'), fc.jsonValue());
  const property = fc.property(fc.oneof(damaged, fc.jsonValue()), fc.string(), (data, time) => {
    const read = unpackDecided({ ...bare, stream: 'calls-x', actor: 'h', time, data });
    assert.equal(CallDecided.safeParse(read).success, false);
  });
  fc.assert(property, { numRuns: 1000 });
});

test('the list of checks that version 5 numbers never changes', () => {
  const names =
    'registered not_disabled reviewed pinned definition signature server_identity capability_scope task_scope ' +
    'user_authority arguments approval context credential';
  assert.deepEqual(CHECK_LIST, names.split(' '));
});

test('a typical allow takes a third fewer bytes, and is folded as version 2 was', () => {
  const golden = readJson<Event<string, CallDecided>>('events', 'CallDecided.v2.json');
  const { stream, revision: at, data, id: _, schemaVersion: __, ...rest } = golden;
  const sealed = sealFact(stream, at, { ...rest, data }, { correlationId: data.callId });
  const before = canonicalJson(golden).length;
  assert.ok(sealed.json.length <= (before * 2) / 3, `${sealed.json.length} of ${before}`);
  assert.equal(sealed.event.data, data);
  assert.equal(parseEvent(sealed.json).schemaVersion, 5);
  assert.deepEqual(familyOf(stream)?.read(sealed.json).data, data);
});

test('version 3 is still read as version 2, with its thirteen checks', () => {
  const golden = readJson<Event>('events', 'CallDecided.v3.json');
  const { data } = families.calls.read(canonicalJson(golden)) as Event<string, CallDecided>;
  assert.equal(data.checks.length, 13);
  assert.equal(data.checks.includes('approval'), false);
  assert.deepEqual(data.engines, { cedar: '4.13.0', decider: 2 });
});
