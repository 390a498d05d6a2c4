import { generateKeyPairSync } from 'node:crypto';
import { snapshotFor } from '../../libs/decision-point/basis.js';
import { questionOf } from '../../libs/decision/check.js';
import { notDisabled } from '../../libs/decision/version-checks.js';
import { activeDirectives, directiveDecider, stateRoot, type DirectivesState } from '../../libs/directive/decider.js';
import type { Target } from '../../libs/directive/target.js';
import { beatText } from '../../libs/feed/beat.js';
import { BeatSigner } from '../../libs/feed/beat-signer.js';
import { digestOf } from '../../libs/kernel/digest.js';
import { median } from './figures.js';
import { consulted, memoryTask } from './states.js';

/** The cost of active directives, by their number: the check in each decision, and the beats that carry them. */

export interface DirectivesResult {
  readonly active: number;
  /** The check `not_disabled` of a call that nothing stops. */
  readonly checkUs: number;
  readonly heartbeatUs: number;
  /** A snapshot in an epoch in which one was made before, as its JSON. */
  readonly snapshotUs: number;
  readonly firstSnapshotUs: number;
  readonly stateRootUs: number;
  /** Deciding on one more, its new state root included. */
  readonly issueUs: number;
}

const ACTIVE = [0, 10, 100, 1_000];
/** Checks that are timed together: one is shorter than the clock can tell. */
const TOGETHER = 1_000;
const AT = '2026-11-22T10:00:00.000Z';
const KINDS = ['capability', 'category', 'publisher', 'host'] as const;

export async function benchDirectives(cellMs: number, say: (line: string) => void): Promise<DirectivesResult[]> {
  const results: DirectivesResult[] = [];
  // Compiles what all sizes share.
  await measured(10, cellMs / 4);
  for (const active of ACTIVE) results.push(await measured(active, cellMs));
  say('directives: done');
  return results;
}

async function measured(active: number, cellMs: number): Promise<DirectivesResult> {
  const state = directiveDecider.initialState();
  for (let index = 0; index < active; index += 1) issue(state, index);
  const { privateKey } = generateKeyPairSync('ed25519');
  const key = { kid: 'k', privateKey, jwk: { kty: 'OKP', crv: 'Ed25519', x: '' } } as const;
  const known = { directives: () => ({ state, revision: state.epoch }), refresh: async () => undefined, position: 1n };
  // Beats of one process have a millisecond to themselves: here it is over each time, so that none waits.
  let nowMs = Date.parse(AT);
  const time = { now: () => new Date((nowMs += 1)).toISOString() };
  const signer = new BeatSigner({ head: async () => state.epoch }, known, key, time, 5000, 1);
  const check = checkOf(state);
  const checkUs = await medianUs(cellMs, () => {
    for (let count = 0; count < TOGETHER; count += 1) check();
  });
  const firstSnapshotUs = await medianUs(cellMs, async () => {
    // Another state object is what another epoch is to the cache.
    const fresh = { ...state };
    const directives = () => ({ state: fresh, revision: fresh.epoch });
    const other = new BeatSigner(
      { head: async () => fresh.epoch },
      { ...known, directives },
      key,
      { now: () => AT },
      5000,
      1,
    );
    beatText(await other.snapshot());
  });
  return {
    active,
    checkUs: checkUs / TOGETHER,
    heartbeatUs: await medianUs(cellMs, async () => beatText(await signer.heartbeat())),
    snapshotUs: await medianUs(cellMs, async () => beatText(await signer.snapshot())),
    firstSnapshotUs,
    stateRootUs: await medianUs(cellMs, () => stateRoot(activeDirectives(state))),
    issueUs: await medianUs(cellMs, () => directiveDecider.decide(commandOf(active), state)),
  };
}

function targetOf(index: number): Target {
  const kind = KINDS[index % KINDS.length] ?? 'host';
  return { type: kind, [kind]: `no-such-${index}` } as Target;
}

const commandOf = (index: number) =>
  ({
    type: 'issue',
    id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    target: targetOf(index),
    reason: `INC-${index}: taken out of service until it has been looked at`,
    actor: 'otto',
    time: AT,
  }) as const;

function issue(state: DirectivesState, index: number): void {
  const decided = directiveDecider.decide(commandOf(index), state);
  if (!decided.ok) throw new Error(decided.error.detail);
  for (const event of decided.value) directiveDecider.evolve(state, event);
}

function checkOf(directives: DirectivesState): () => void {
  const view = consulted(10).withPolicies(digestOf('none'));
  const id = 'capability-1';
  const pin = { capability: id, version: '1', definitionDigest: digestOf(id) };
  const call = {
    callId: '00000000-0000-4000-8000-000000000001',
    taskId: '00000000-0000-4000-8000-000000000002',
    host: 'host',
    capability: id,
    operation: 'recall',
    arguments: {},
    context: [],
    contextItems: 0,
    labels: [],
    inputs: {},
    observed: { server: { method: 'none' } },
    decidedAt: AT,
  } as const;
  const held = { ...view, directives: () => ({ revision: directives.epoch, state: directives }) };
  const engines = {
    authority: () => {
      throw new Error('not asked');
    },
    named: () => {
      throw new Error('not asked');
    },
    arguments: () => {
      throw new Error('not asked');
    },
    filter: () => {
      throw new Error('not asked');
    },
  };
  const snapshot = snapshotFor(held, memoryTask(id, pin, 'purpose'), { host: 'host', capability: id });
  const question = questionOf(snapshot, call, engines);
  return () => {
    if (notDisabled(question).outcome !== 'pass') throw new Error('a call that should not be stopped');
  };
}

async function medianUs(forMs: number, once: () => unknown): Promise<number> {
  const tookUs: number[] = [];
  for (let warm = 0; warm < 20; warm += 1) await once();
  const endMs = performance.now() + forMs / 4;
  do {
    const startedMs = performance.now();
    await once();
    tookUs.push((performance.now() - startedMs) * 1000);
  } while (performance.now() < endMs);
  return median(tookUs);
}
