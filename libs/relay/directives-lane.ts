import type { ControlView } from '../control/control-view.js';
import { changeIn } from '../feed/beat-signer.js';
import { defined } from '../kernel/defined.js';
import { families } from '../streams/catalogue.js';
import { DirectiveBacklog } from './directive-backlog.js';
import { DirectivePublisher, type DirectiveSigner } from './directive-publisher.js';
import { runLane, type Lane, type LaneStatus, type RelayParts, type Session } from './lane.js';
import type { ReadableOutlet } from './port.js';
import { WakeSignal } from './wake-signal.js';

export type ObservedDirectives = Pick<ControlView, 'directives' | 'listen'>;

export interface DirectivesLane extends Lane {
  status(): LaneStatus & {
    /** Records of others that were found on the topic. */
    readonly foreign: number;
    /** The epoch that Kafka has acknowledged. */
    readonly epoch: number;
    /** Directives whose latest state Kafka has not acknowledged; at least 1 until the first restatement. */
    readonly waiting: number;
  };
}

/**
 * Publishes directives: each change as soon as it is committed, and every second a heartbeat, which claims no epoch
 * that Kafka has not acknowledged. The topic is compacted, so the last record of a key counts, even one that a deposed
 * relay or a thawing broker wrote late. The lane therefore reads the topic and restates everything if it finds a record
 * that is not its own.
 */
export function runDirectivesLane(
  parts: RelayParts,
  outlet: ReadableOutlet,
  signer: DirectiveSigner,
  known: ObservedDirectives,
): DirectivesLane {
  const wakeSignal = new WakeSignal();
  const backlog = new DirectiveBacklog(known, wakeSignal.wake);
  const stopListening = known.listen(({ event, position }) => {
    if (families.directives.owns(event))
      backlog.arrived({ ...changeIn(event, position, known.directives().state), time: event.time });
  });
  let publisher: DirectivePublisher | undefined;
  const session = async (opened: Session): Promise<void> => {
    const { signal } = opened;
    signal.addEventListener('abort', wakeSignal.wake, { once: true });
    const current = new DirectivePublisher(parts, opened, signer, backlog, wakeSignal, outlet);
    publisher = current;
    try {
      await current.run();
    } finally {
      publisher = undefined;
      signal.removeEventListener('abort', wakeSignal.wake);
      await current.close();
    }
  };
  const lane = runLane('directives', parts, outlet, { hasWork: () => Promise.resolve(true), session });
  return {
    status() {
      const status = lane.status();
      const reason = status.reason ?? publisher?.listening.trouble;
      const { foreign, epoch, waiting } = backlog;
      return defined({ ...status, reason, foreign, epoch, waiting });
    },
    stop() {
      stopListening();
      return lane.stop();
    },
  };
}
