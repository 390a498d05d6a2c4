import { snapshotFor } from '../../libs/decision-point/basis.js';
import { textBlob } from '../../libs/event-log/blobs.js';
import { DecisionEngines } from '../../libs/decision-point/engines.js';
import type { Call } from '../../libs/decision/call.js';
import { decide } from '../../libs/decision/decide.js';
import type { Blob, EventLog } from '../../libs/event-log/port.js';
import { median, percentile } from './figures.js';
import { consulted, memoryTask } from './states.js';

/** Pure `decide`, without HTTP and without a log, by what Cedar is asked and how much there is to look through. */

export type Asking = 'hit' | 'miss' | 'arguments';

export interface DecideResult {
  /**
   * `hit`: Cedar was asked a similar question before. `miss`: never. `arguments`: a policy reads them, and they are
   * new.
   */
  readonly asking: Asking;
  readonly capabilities: number;
  readonly policies: number;
  readonly medianUs: number;
  readonly p99Us: number;
  readonly decisions: number;
}

const CAPABILITIES = [10, 1_000, 100_000];
const POLICIES = [1, 10, 100, 1_000];
const ASKINGS: readonly Asking[] = ['hit', 'miss', 'arguments'];
/** Capabilities that are called in turns, spread over all there are. */
const CALLED = 10;
const MAX_DECISIONS = 20_000;

export async function benchDecide(cellMs: number, say: (line: string) => void): Promise<DecideResult[]> {
  const results: DecideResult[] = [];
  // Compiles what all cells share, so that the first of them does not pay for it.
  await cell(consulted(CALLED), { asking: 'hit', capabilities: CALLED, policies: 1 }, cellMs);
  for (const capabilities of CAPABILITIES) {
    const view = consulted(capabilities);
    for (const policies of POLICIES) {
      for (const asking of ASKINGS) results.push(await cell(view, { asking, capabilities, policies }, cellMs));
    }
    say(`decide: ${capabilities} capabilities done`);
  }
  return results;
}

type Cell = Pick<DecideResult, 'asking' | 'capabilities' | 'policies'>;

async function cell(view: ReturnType<typeof consulted>, of: Cell, cellMs: number): Promise<DecideResult> {
  const cedar = textBlob(policiesText(of));
  const engines = new DecisionEngines(blobsOnly([cedar, ...view.blobs]));
  const policySet = view.withPolicies(cedar.digest);
  const step = Math.max(1, Math.floor(of.capabilities / CALLED));
  let asked = 0;
  const call = (): [ReturnType<typeof memoryTask>, Call] => {
    asked += 1;
    const id = view.id((asked % CALLED) * step);
    const purpose = of.asking === 'miss' ? `purpose ${asked}` : 'purpose';
    const pin = view.pin(id);
    return [
      memoryTask(id, pin, purpose),
      {
        callId: '00000000-0000-4000-8000-000000000001',
        taskId: '00000000-0000-4000-8000-000000000002',
        host: 'host',
        capability: id,
        operation: 'recall',
        arguments: { key: `key-${asked}` },
        context: [],
        contextItems: 0,
        labels: [],
        inputs: {},
        observed: { definition: pin.definitionDigest, server: { method: 'package', integrity: 'i' } },
        decidedAt: '2026-11-22T10:01:00.000Z',
      },
    ];
  };
  const [task, first] = call();
  const missing = engines.missing(snapshotFor(policySet, task, first), first);
  if (missing !== undefined) await engines.load(missing);

  const tookUs: number[] = [];
  const once = (): void => {
    const [lane, made] = call();
    const startedMs = performance.now();
    const decision = decide(snapshotFor(policySet, lane, made), made, engines.engines);
    tookUs.push((performance.now() - startedMs) * 1000);
    if (decision.decision !== 'allow') throw new Error(`a decision that should be an allow: ${decision.reason}`);
  };
  for (let warm = 0; warm < CALLED * 3; warm += 1) once();
  for (const endMs = performance.now() + cellMs / 4; performance.now() < endMs;) once();
  tookUs.length = 0;
  const endMs = performance.now() + cellMs;
  do once();
  while (performance.now() < endMs && tookUs.length < MAX_DECISIONS);
  return { ...of, medianUs: median(tookUs), p99Us: percentile(tookUs, 0.99), decisions: tookUs.length };
}

/** As many policies as asked for: one that allows, one in ten that forbids by what it reads, and those of other roles. */
function policiesText({ asking, policies }: Cell): string {
  const allow = '@id("allow") permit(principal in Role::"staff", action == Action::"read", resource)';
  const reading = asking === 'arguments' ? ' unless { context.arguments.key == "no-such-key" };' : '';
  // The purpose is seen in every set, so that a purpose that is new is a miss.
  const text = [reading === '' ? `${allow} unless { context.purpose == "none" };` : `${allow}${reading}`];
  for (let index = 1; index < policies; index += 1) {
    text.push(
      index % 10 === 0
        ? `@id("p${index}") forbid(principal, action, resource) when { context.purpose == "forbidden ${index}" };`
        : `@id("p${index}") permit(principal in Role::"role-${index}", action == Action::"write", resource in Category::"c${index}");`,
    );
  }
  return text.join('\n');
}

/** A log of which nothing is asked but blobs. */
function blobsOnly(blobs: readonly Blob[]): EventLog {
  const held = new Map(blobs.map(({ digest, bytes }) => [digest, bytes]));
  return { blob: async (digest) => held.get(digest) } satisfies Pick<EventLog, 'blob'> as unknown as EventLog;
}
