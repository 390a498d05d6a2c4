import { Approver } from '../../../libs/decision-point/approver.js';
import { Authorizer } from '../../../libs/decision-point/authorizer.js';
import { ContentDesk } from '../../../libs/decision-point/content-desk.js';
import { DecisionEngines } from '../../../libs/decision-point/engines.js';
import { RefusalRecorder } from '../../../libs/decision-point/refusal-recorder.js';
import { Responder } from '../../../libs/decision-point/responder.js';
import { TaskLanes } from '../../../libs/decision-point/task-lanes.js';
import { Shredder } from '../../../libs/decision-point/shredder.js';
import { Tasks } from '../../../libs/decision-point/tasks.js';
import { POLICY_SET } from '../../../libs/decision/snapshot.js';
import type { Clock } from '../../../libs/kernel/time.js';
import { ApprovalWaits } from '../approvals/approval-waits.js';
import { measuredAuthorizer, type Authorizing } from '../observability/measured-authorizer.js';
import type { Metrics } from '../observability/metrics.js';
import { notedAuthorizer } from '../observability/failed-calls.js';
import { tracedAuthorizer } from '../observability/traced-authorizer.js';
import { TracedEngines } from '../observability/traced-engines.js';
import type { Tracing } from '../observability/tracing.js';
import type { Bounds } from '../overload/bounds.js';
import { contentPool, readingLimits } from '../overload/content.js';
import { gatedAuthorizer, gatedResponder, gatedTasks, type Responding, type TaskKeeping } from '../overload/gated.js';
import type { Settings } from '../settings.js';
import type { Control } from './control.js';
import type { Stores } from './stores.js';

const MAX_RESPONSE_PARTS = 1000;

/** The hot path: hosts ask about their tasks and calls, through a gate. */
export interface Decisions {
  readonly tasks: TaskKeeping;
  readonly authorizer: Authorizing;
  readonly responder: Responding;
  /** Records the verdicts of approvers. */
  readonly approver: Approver;
  /** Requests that wait for verdicts. */
  readonly waits: ApprovalWaits;
  /** Erases the content of tasks. */
  readonly shredder: Shredder;
  readonly engines: DecisionEngines;
  readonly desk: ContentDesk;
  /** The number of tasks whose state is in memory. */
  readonly lanesHeld: () => number;
}

interface DecisionParts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly tracing: Tracing | undefined;
  readonly bounds: Pick<Bounds, 'calls' | 'texts'>;
}

/** Warms the engines and starts the threads that work on content. `closing` stops them. */
export async function openDecisions(
  settings: Settings,
  { log, keyring }: Stores,
  { view, time, plane }: Control,
  { clock, metrics, tracing, bounds }: DecisionParts,
  closing: AsyncDisposableStack,
): Promise<Decisions> {
  const { limits, leaseMs } = settings;
  const engines = tracing === undefined ? new DecisionEngines(log) : new TracedEngines(log, tracing);
  await engines.warm(view.policySet(POLICY_SET).state.active?.cedar);
  const lanes = new TaskLanes(log, keyring, view);
  const pool = contentPool(settings, metrics.registry);
  closing.defer(() => pool.close());
  const desk = new ContentDesk(engines.validator, readingLimits(limits), pool);
  const { approvalMs, skewMs, publicUrl } = settings;
  const approvals = { goodForMs: approvalMs, skewMs, publicUrl };
  const point = { log, view, lanes, engines, time, approvals, desk, flow: settings.flow };
  const refusals = new RefusalRecorder(point, leaseMs);
  const authorizer = new Authorizer(point, refusals, leaseMs);
  const noted = notedAuthorizer(authorizer, (taskId) => lanes.traceOf(taskId));
  const traced = tracing === undefined ? noted : tracedAuthorizer(noted, tracing);
  const responder = new Responder(point, desk, {
    maxBytes: limits.responseBytes,
    maxDepth: limits.jsonDepth,
    maxParts: MAX_RESPONSE_PARTS,
    lateMs: settings.responseMs,
    quarantine: settings.quarantine,
  });
  const approver = new Approver(point);
  const waits = new ApprovalWaits();
  approver.onDecided = waits.decided;
  return {
    approver,
    waits,
    tasks: gatedTasks(new Tasks(log, plane, lanes, keyring), bounds.calls),
    authorizer: gatedAuthorizer(measuredAuthorizer(traced, metrics, clock), bounds.calls),
    responder: gatedResponder(responder, bounds.calls, bounds.texts),
    shredder: new Shredder(log, plane, lanes, keyring),
    engines,
    desk,
    lanesHeld: () => lanes.held,
  };
}
