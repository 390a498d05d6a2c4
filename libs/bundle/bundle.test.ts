import assert from 'node:assert/strict';
import {
  forged,
  makeWorld,
  must,
  withEngines,
  withEvents,
  type World as FullWorld,
} from '../../test/support/audit-world.js';
import { sealedLog } from '../../test/support/sealed.js';
import { test } from '../../test/support/testing.js';
import type { EventLog } from '../event-log/port.js';
import { parseVerifier } from '../transparency/note.js';
import { exportBundle } from './export.js';
import { verifyBundle } from './verify.js';

/** The log may be a tampered one. */
type World = Pick<FullWorld, 'keys' | 'index'> & { readonly log: EventLog };

async function exported(
  world: World,
  proofs: ReturnType<typeof sealedLog>,
  traceId: string,
  content: 'include' | 'omit' = 'include',
) {
  const { log, keys, index } = world;
  const made = must(await exportBundle({ log, keys, index, proofs }, traceId, content));
  assert.ok(made);
  let text = '';
  for await (const piece of made.pieces) text += piece;
  return text;
}

const verified = (text: string, key?: string) => {
  const verifier = key === undefined ? undefined : parseVerifier(key);
  return verifyBundle(text, { keys: verifier === undefined ? [] : [verifier] });
};

test('a bundle is sound by itself, and every call comes out the same', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  const { callId } = await world.authorize(taskId);
  await world.respond(taskId, callId);
  await world.succeed(taskId, callId);
  await world.authorize(taskId, { operation: 'write' });
  await world.issue({ type: 'all' });
  await world.authorize(taskId);
  const proofs = sealedLog(world.log);
  const text = await exported(world, proofs, traceId);
  const verdict = await verified(text, proofs.key);
  assert.deepEqual(verdict.faults, []);
  assert.equal(verdict.soundness, 'sound');
  assert.equal(verdict.calls.filter(({ identical }) => identical === true).length, 3);
  assert.equal((await verified(text)).soundness, 'partly');
});

test('content that was erased is not there, and the verdict says by which event', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  const { callId } = await world.authorize(taskId);
  await world.respond(taskId, callId);
  const proofs = sealedLog(world.log);
  const before = JSON.parse(await exported(world, proofs, traceId));
  await world.shred(taskId);
  const text = await exported(world, proofs, traceId);
  const { soundness, gaps, calls } = await verified(text, proofs.key);
  assert.equal(soundness, 'partly');
  assert.deepEqual(gaps, ['the content of 1 tasks was erased, as TaskShredded records']);
  assert.deepEqual(
    calls.map(({ identical }) => identical),
    ['shredded'],
  );
  const putIn = { ...JSON.parse(text), payloads: before.payloads };
  const { faults } = await verified(JSON.stringify(putIn), proofs.key);
  assert.match(faults[0]?.what ?? '', /was put in: the content of its task was erased/);
});

test('content whose key is missing without an event is not sound', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId);
  await world.keys.shred(taskId);
  const proofs = sealedLog(world.log);
  const { soundness, faults } = await verified(await exported(world, proofs, traceId), proofs.key);
  assert.equal(soundness, 'not_sound');
  assert.match(faults[0]?.what ?? '', /is missing, and no event says that it was erased/);
});

/** The same log, as another version of the software would have written its decisions. */
const asWrittenBy = (world: World, engines: { decider?: number; cedar?: string }) => ({
  ...world,
  log: withEngines(world.log, engines),
});

test('bundles of other versions: earlier rules decide again, and a missing engine is named', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId);
  const verdictOf = async (engines: { decider?: number; cedar?: string }) => {
    const other = asWrittenBy(world, engines);
    const proofs = sealedLog(other.log);
    return verified(await exported(other, proofs, traceId), proofs.key);
  };
  const earlier = await verdictOf({ decider: 1 });
  assert.deepEqual([earlier.soundness, earlier.calls.map(({ identical }) => identical)], ['sound', [true]]);
  for (const engines of [{ decider: 99 }, { cedar: '4.0.0' }]) {
    const { soundness, gaps, faults } = await verdictOf(engines);
    assert.deepEqual([soundness, faults], ['partly', []], JSON.stringify(engines));
    assert.match(gaps[0] ?? '', /this version of sallyport lacks an engine/);
  }
});

test('a log that lies about a decision is not sound, also if its key signed it', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  const { callId } = await world.authorize(taskId);
  await world.respond(taskId, callId);
  const lies: readonly [
    type: string,
    change: (data: Record<string, unknown>) => Record<string, unknown>,
    line: RegExp,
  ][] = [
    [
      'CallDecided',
      (data) => ({ ...data, decision: 'deny', reason: 'disabled' }),
      /is recorded as deny disabled, and decided again as allow ok/,
    ],
    [
      'ResponseValidated',
      (data) => ({ ...data, findings: [{ detector: 'output_schema', kind: 'type', path: '', severity: 'high' }] }),
      /a verdict that its content does not get/,
    ],
  ];
  for (const [type, change, line] of lies) {
    const log = withEvents(world.log, (event) => (event.type === type ? forged(event, change) : event));
    const proofs = sealedLog(log);
    const { soundness, faults } = await verified(await exported({ ...world, log }, proofs, traceId), proofs.key);
    assert.equal(soundness, 'not_sound', type);
    assert.match(faults[0]?.what ?? '', line);
  }
});
