import assert from 'node:assert/strict';
import type { RecordedEvent } from '../../libs/event-log/port.js';
import { ownValue, type JsonObject } from '../../libs/kernel/canonical-json.js';
import { digestOf } from '../../libs/kernel/digest.js';
import { isPseudonym } from '../../libs/payloads/pseudonym.js';
import { toInstant, toMs } from '../../libs/kernel/time.js';
import type { Answered, TestService } from '../support/service.js';
import { median } from '../bench/figures.js';
import { recordedAfter, seenEvent, type SeenEvent } from '../support/events.js';
import { expecting } from '../support/world.js';
import { expandSteps, readBlocks, readCases, type Case, type ExpectedEvent, type Step } from './case.js';
import { newBindings } from './placeholders.js';
import { hostOf, isOfTask, isShared, openStage, perform, type Stage } from './stage.js';
import { after, before, describe, test } from '../support/testing.js';

const LEASE_MS = 5000;
/** Of the JSON of a CallDecided, at the median of all cases: events have to be small. */
const MEDIAN_BYTES = 1000;
const sizes: number[] = [];

const blocks = readBlocks();
const cases = readCases();

/** Cases on one service: what is done to it first, and what each case adds. */
interface Group {
  readonly prepare: readonly Step[];
  readonly cases: { readonly name: string; readonly golden: Case; readonly steps: readonly Step[] }[];
}

/** Asks for the decision of a case as one host, with the headers that the case has. */
export type Ask = (
  service: TestService,
  who: ReturnType<typeof hostOf>,
  request: JsonObject,
  headers: Record<string, string>,
) => Promise<Answered>;

/**
 * Every case of `decisions/`, asked over one protocol: the answer, the record and the other events, each exactly as
 * written, and its replay. Cases whose worlds differ only in their tasks share a service.
 */
export function goldenDecisions(title: string, ask: Ask): void {
  describe(title, () => {
    after(() => assert.ok(median(sizes) <= MEDIAN_BYTES, `CallDecided has ${median(sizes)} bytes at the median`));
    for (const [world, group] of byWorld()) {
      describe(world, () => {
        let stage: Stage;
        before(async () => {
          stage = await openStage();
          for (const step of group.prepare) await perform(stage, step, blocks, newBindings(blocks));
        });
        after(() => stage.service.stop());
        for (const { name, golden, steps } of group.cases) test(name, () => run(stage, golden, steps, ask));
      });
    }
  });
}

/**
 * The cases, grouped by the beginning of their worlds. A case that affects more than its own task has a service of its
 * own.
 */
function byWorld(): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const [name, golden] of cases) {
    const steps = expandSteps(golden.world, blocks);
    const end = steps.findIndex(isOfTask);
    const prepare = end < 0 ? steps : steps.slice(0, end);
    const own = steps.slice(prepare.length);
    const recordsMore = (golden.events ?? []).some(({ stream }) => !stream.startsWith('task-'));
    if (recordsMore || !prepare.every(isShared) || !own.every(isOfTask)) {
      groups.set(name, { prepare: [], cases: [{ name, golden, steps }] });
      continue;
    }
    const key = `world ${digestOf(prepare).slice(7, 15)}`;
    const group = groups.get(key) ?? { prepare, cases: [] };
    group.cases.push({ name, golden, steps: own });
    groups.set(key, group);
  }
  return groups;
}

async function run(stage: Stage, golden: Case, steps: readonly Step[], ask: Ask): Promise<void> {
  const { service } = stage;
  const { log } = service.service.stores;
  const names = newBindings(blocks);
  for (const step of steps) await perform(stage, step, blocks, names);
  const start = await log.end();
  const request = names.fill(golden.request) as JsonObject;
  const headers = names.fill(golden.headers ?? {}) as Record<string, string>;
  const answer = await ask(service, hostOf(stage, golden.by), request, headers);

  const events = await recordedAfter(service, start);
  const appended = await Promise.all(events.map((event) => readable(service, event)));
  // The decision comes last in its batch: the position of the answer is its own.
  const recorded = appended.at(-1);
  assert.ok(recorded, 'a decision without its record');
  if (recorded.type === 'CallDecided') sizes.push(Buffer.byteLength(events.at(-1)?.json ?? ''));
  names.bind('position', String(appended.at(-1)?.position));
  names.bind('leaseEnd', toInstant(toMs(recorded.time) + LEASE_MS));
  for (const { type, id } of appended) names.bind(`event.${type}`, id);

  // The order of targets says nothing.
  const shown = 'targets' in answer ? { ...answer, targets: [...answer.targets].sort() } : answer;
  assert.deepStrictEqual(shown, names.settle(golden.answer, shown));
  const compact = appended.map(({ type, stream, data }) => ({ event: type, stream, data }));
  const expected = names.settle([...(golden.events ?? []), golden.recorded], compact) as ExpectedEvent[];
  assert.deepStrictEqual(compact, expected);
  const { actor, traceId, correlationId } = recorded;
  assert.deepStrictEqual(
    { actor, traceId, correlationId },
    { actor: golden.by ?? 'local-host', traceId: answer.traceId, correlationId: answer.callId },
  );
  await replay(stage, answer, expected.at(-1)?.data ?? {});
}

/** An event as readers see it, with the id of the user in the place of the pseudonym. */
async function readable({ service }: TestService, recorded: RecordedEvent): Promise<SeenEvent> {
  const event = seenEvent(recorded);
  const user: unknown = event.data.user;
  if (typeof user !== 'string') return event;
  assert.ok(isPseudonym(user), user);
  return { ...event, data: { ...event.data, user: (await service.stores.keyring.userOf(user)) ?? user } };
}

/** Decided again from the record: the same, by the digest of what the case says was recorded. */
async function replay(
  { service }: Stage,
  answer: { traceId: string; callId: string; position: string },
  recorded: JsonObject,
): Promise<void> {
  const path = `/v1/audit/traces/${answer.traceId}/replay?minPosition=${answer.position}`;
  const replayed = expecting(200, await service.call('auditor', 'GET', path));
  const compared = ['decision', 'reason', 'rule', 'checks', 'commitments', 'basis'];
  const digest = digestOf(Object.fromEntries(compared.map((field) => [field, ownValue(recorded, field)])));
  const { decision, reason } = recorded;
  const same = { decision, reason, digest };
  assert.equal(replayed.traceId, answer.traceId);
  assert.equal(replayed.identical, true, JSON.stringify(replayed));
  const calls = replayed.calls.filter(({ callId }: { callId: string }) => callId === answer.callId);
  assert.equal(calls.length, 1);
  const [{ recorded: was, redecided, identical }] = calls;
  assert.deepStrictEqual({ was, redecided, identical }, { was: same, redecided: same, identical: true });
}
