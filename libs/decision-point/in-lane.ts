import { LogUnavailable } from '../event-log/port.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, type Result } from '../kernel/result.js';
import type { TaskLane } from './task-lane.js';
import type { TaskLanes } from './task-lanes.js';

/** Tries before a request gives up. Each further try follows an append by another request of the task. */
const MAX_TRIES = 20;

/** The next step of a request that was examined on the live states of a lane. */
export type LaneStep<Step> =
  /** The lane no longer belongs to the task. */
  | { readonly kind: 'again' }
  /** `durable`: the refusal relies on what the lane shows, so it waits until that is durable. */
  | { readonly kind: 'refuse'; readonly refusal: Refusal; readonly durable: boolean }
  | Step;

interface LaneWork<Step, Answer> {
  readonly taskId: string;
  /** The only host that may know of the task; absent for callers that are not hosts. */
  readonly host?: string;
  /** For the error, if no try ends: `read a response`. */
  readonly purpose: string;
  /** Examines the live states. It uses `inOneTurn`, which refuses to compile a section that waits. */
  readonly plan: (lane: TaskLane) => LaneStep<Step>;
  /** Carries a step out. After `again`, the lane is examined again. */
  readonly perform: (lane: TaskLane, step: Step) => Promise<Result<Answer, Refusal> | 'again'>;
}

/** Does one piece of work in the lane of a task, until nobody else interferes. Throws `LogUnavailable`. */
export async function inLane<Step extends { readonly kind: string }, Answer>(
  lanes: Pick<TaskLanes, 'get' | 'refuseWhenDurable'>,
  { taskId, host, purpose, plan, perform }: LaneWork<Step, Answer>,
): Promise<Result<Answer, Refusal>> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const lane = await lanes.get(taskId);
    if (lane === undefined || (host !== undefined && lane.task.host !== host))
      return err(refusal('not_found', 'no such task'));
    const planned = plan(lane);
    if (planned.kind === 'again') continue;
    const outcome = isRefusal(planned) ? await refused(lanes, lane, planned) : await perform(lane, planned as Step);
    if (outcome !== 'again') return outcome;
  }
  throw new LogUnavailable(`the task is too busy to ${purpose}`);
}

type Refusing = Extract<LaneStep<never>, { kind: 'refuse' }>;

const isRefusal = (step: { readonly kind: string }): step is Refusing => step.kind === 'refuse';

const refused = async (lanes: Pick<TaskLanes, 'refuseWhenDurable'>, lane: TaskLane, step: Refusing) =>
  step.durable ? lanes.refuseWhenDurable(lane, step.refusal) : err(step.refusal);
