import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { forged, makeWorld, must, withEvents, type World as FullWorld } from '../../test/support/audit-world.js';
import { withEngines } from '../../test/support/other-engines.js';
import { sealedLog } from '../../test/support/sealed.js';
import { test } from '../../test/support/testing.js';
import type { EventLog } from '../event-log/port.js';
import {
  noteVerifier,
  parseNote,
  parseVerifier,
  signNote,
  verifierText,
  withSignatures,
} from '../transparency/note.js';
import { ExportStopped, exportBundle, type BundleExport } from './export.js';
import type { ProofSource } from './proof-source.js';
import { verifyBundle } from './verify.js';

/** The log may be a tampered one. */
type World = Pick<FullWorld, 'keys' | 'index'> & { readonly log: EventLog };

async function exported(world: World, proofs: ProofSource, traceId: string, content: 'include' | 'omit' = 'include') {
  const { log, keys, index } = world;
  await index.waitFor(await log.end(), 60_000);
  const made = must(await exportBundle({ log, keys, index, proofs }, traceId, content));
  assert.ok(made);
  return textOf(made);
}

async function textOf({ pieces }: BundleExport): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
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

test('approvals are decided again from a bundle alone, also once content was erased', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open({ approve: { effects: ['read'], by: 'other' } });
  const { approval } = await world.authorize(taskId);
  await world.authorize(taskId);
  await world.grant(taskId, approval?.id ?? '');
  const allowed = await world.authorize(taskId);
  const again = await world.authorize(taskId);
  assert.deepEqual([allowed.decision, again.reason], ['allow', 'approval_required']);
  const proofs = sealedLog(world.log);
  const sameIn = async () => {
    const { faults, calls } = await verified(await exported(world, proofs, traceId), proofs.key);
    assert.deepEqual(faults, []);
    return calls.map(({ identical }) => identical);
  };
  assert.deepEqual(await sameIn(), [true, true, true, true]);
  await world.shred(taskId);
  assert.deepEqual(await sameIn(), Array(4).fill('shredded'));
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
      (data) => ({
        ...data,
        findings: [{ detector: 'output_schema/type', kind: 'schema', path: '', severity: 'high' }],
      }),
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

test('a task that joins the trace around the checkpoint leaves the bundle sound', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId);
  const before = await world.log.end();
  await world.open({}, 'host-1', traceId);
  const sources = { log: world.log, keys: world.keys, index: world.index };
  const early = sealedLog(world.log, () => before);
  const made = must(await exportBundle({ ...sources, proofs: early }, traceId, 'include'));
  assert.ok(made && made.unsealed > 0);
  const { soundness, faults } = await verified(await textOf(made), early.key);
  assert.deepEqual([soundness, faults], ['sound', []]);
  // Another task joins, and is sealed, after the first answer.
  const late = sealedLog(world.log);
  let asked = 0;
  const growing = {
    ...late,
    ask: async (query: Parameters<typeof late.ask>[0]) => {
      if ((asked += 1) === 2) await world.open({}, 'host-1', traceId);
      return late.ask(query);
    },
  };
  const text = await exported(world, growing, traceId);
  const verdict = await verified(text, late.key);
  assert.deepEqual([verdict.soundness, verdict.faults], ['sound', []]);
  assert.equal(Object.keys(JSON.parse(text).completeness.streams).length, 7);
  const unsealed = sealedLog(world.log, () => 0n);
  assert.equal(must(await exportBundle({ ...sources, proofs: unsealed }, traceId, 'include')), undefined);
});

test('the events that decisions rest on are counted before any of them is written', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId);
  const { log, keys, index } = world;
  const proofs = sealedLog(log);
  const { events } = JSON.parse(await exported(world, proofs, traceId));
  const made = (most: number) => exportBundle({ log, keys, index, proofs }, traceId, 'include', most);
  const whole = must(await made(events.length));
  assert.ok(whole && (await textOf(whole)).length > 0);
  const cut = must(await made(events.length - 1));
  assert.ok(cut);
  let written = '';
  const reading = async (): Promise<void> => {
    for await (const piece of cut.pieces) written += piece;
  };
  await assert.rejects(reading(), ExportStopped);
  assert.match(written, /CallDecided/);
  assert.doesNotMatch(written, /VersionProposed|PolicyProposed|PrincipalAdded/);
  assert.equal((await made(1)).ok, false);
});

test('a cosigner that the reader trusts does not make a log the one that the reader trusts', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId);
  const proofs = sealedLog(world.log);
  const bundle = JSON.parse(await exported(world, proofs, traceId));
  const signer = { name: 'witness.test', privateKey: generateKeyPairSync('ed25519').privateKey };
  const witness = verifierText(noteVerifier(signer.name, signer.privateKey));
  const note = must(parseNote(bundle.checkpoint));
  const { signatures } = must(parseNote(signNote(note.text, [signer])));
  bundle.checkpoint = withSignatures(note.text, [...note.signatures, ...signatures]);
  bundle.keys.push(witness);
  const text = JSON.stringify(bundle);
  const { soundness, faults } = await verified(text, witness);
  assert.equal(soundness, 'not_sound');
  assert.match(faults[0]?.what ?? '', /none of the given keys signed it as the key of the log/);
  const both = [proofs.key, witness].map((key) => parseVerifier(key) ?? assert.fail());
  const { soundness: sound, checked } = await verifyBundle(text, { keys: both });
  assert.equal(sound, 'sound');
  assert.ok(checked.some((line) => /of witness\.test was given .* as a cosigner$/.test(line)));
});

test('a key that was saved before a restore, or after it, is the key of the log: only a numeric suffix may differ', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId);
  const proofs = sealedLog(world.log);
  const whole = await exported(world, proofs, traceId);
  const own = parseVerifier(proofs.key) ?? assert.fail();
  const stranger = generateKeyPairSync('ed25519').publicKey;
  const named = (name: string, key = own.publicKey) => verifierText(noteVerifier(name, key));
  const after = await verified(whole, named(`${own.name}/1796012533`));
  assert.deepEqual([after.soundness, after.faults], ['sound', []]);
  assert.ok(after.checked.some((line) => /--key as key \w{8} of \S+\/1796012533: one .* before a restore$/.test(line)));
  for (const key of [
    named(`${own.name}/1796012533`, stranger),
    named(own.name, stranger),
    named(`${own.name}/staging`),
    named(`${own.name}2`),
    named('another.log/1796012533'),
  ]) {
    const { soundness, faults } = await verified(whole, key);
    assert.equal(soundness, 'not_sound', key);
    assert.match(faults[0]?.what ?? '', /none of the given keys signed it as the key of the log/);
  }
});

test('a verdict on a response that its content cannot show is a gap', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  const { callId } = await world.authorize(taskId);
  await world.respond(taskId, callId);
  const finding = { detector: 'caps/too_large', kind: 'cap', path: '', severity: 'high' };
  const log = withEvents(world.log, (event) =>
    event.type === 'ResponseValidated' ? forged(event, (data) => ({ ...data, findings: [finding] })) : event,
  );
  const proofs = sealedLog(log);
  const { soundness, gaps, faults } = await verified(await exported({ ...world, log }, proofs, traceId), proofs.key);
  assert.deepEqual([soundness, faults], ['partly', []]);
  assert.deepEqual(gaps, [
    'some responses have a verdict that rests on a limit, the time or a directive, and not on the content',
  ]);
});
