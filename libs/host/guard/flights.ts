import type { Allow } from '../service/answers.js';
import type { DirectiveFollower } from '../directives/follower.js';

/** Why a call was stopped on its way to the server. */
export type StopReason = 'disabled' | 'host_stale';

export interface Flight {
  /** Aborted with a `StopReason`. */
  readonly signal: AbortSignal;
  stopped(): StopReason | undefined;
  end(): void;
}

export interface Flights {
  begin(allow: Allow): Flight;
  close(): void;
}

/**
 * The calls that are on their way to a server. A call is stopped as soon as a later directive matches a target of its
 * allow. All calls are stopped when the host's lease expires: the host might have missed a directive. A fault that a
 * snapshot repairs within the lease stops no running call.
 */
export function flightsUnder(follower: Pick<DirectiveFollower, 'onChange' | 'isVoid' | 'isLeaseOver'>): Flights {
  const running = new Map<AbortController, Allow>();
  const look = (controller: AbortController, allow: Allow): void => {
    const reason = follower.isVoid(allow) ? 'disabled' : follower.isLeaseOver() ? 'host_stale' : undefined;
    if (reason !== undefined) controller.abort(reason);
  };
  const stopListening = follower.onChange(() => {
    for (const [controller, allow] of running) look(controller, allow);
  });
  return {
    begin(allow) {
      const controller = new AbortController();
      running.set(controller, allow);
      look(controller, allow);
      return {
        signal: controller.signal,
        stopped: () => (controller.signal.aborted ? (controller.signal.reason as StopReason) : undefined),
        end: () => void running.delete(controller),
      };
    },
    close() {
      stopListening();
      for (const controller of running.keys()) controller.abort('host_stale' satisfies StopReason);
    },
  };
}
