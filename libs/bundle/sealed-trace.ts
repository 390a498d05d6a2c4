import { setTimeout as pause } from 'node:timers/promises';
import type { Reference } from '../audit/index/messages.js';
import { joinedTo, type Joined } from '../audit/joined.js';
import { LogUnavailable, type LogReading } from '../event-log/port.js';
import type { SealedEvidence } from '../seal/messages.js';
import { families } from '../streams/catalogue.js';
import type { ProofSource } from './proof-source.js';
import { streamsOfTask } from './streams.js';

/** An export waits for the checkpoint of the newest events of its trace: about two seconds at most. */
const SEAL_TRIES = 20;
const SEAL_PAUSE_MS = 100;
/** Events that are in memory at once. */
const PAGE = 200;

/** A trace as of a checkpoint. */
export interface SealedTrace {
  readonly sealed: SealedEvidence;
  /** The tasks that joined the trace within the checkpoint. */
  readonly joined: readonly Joined[];
  /** The own streams of the trace, of these tasks alone: `sealed` proves exactly them. */
  readonly streams: readonly string[];
  /** Events of the trace that the checkpoint lacks. */
  readonly unsealed: number;
}

/**
 * The trace as of the latest checkpoint. Waits for a moment if that lacks events of the trace. Undefined if nothing of
 * the trace is sealed. Throws what the log and the source of proofs throw.
 */
export async function sealedTrace(
  log: LogReading,
  proofs: ProofSource,
  traceId: string,
  refusals: readonly Reference[],
): Promise<SealedTrace | undefined> {
  let streams = ownStreams(traceId, []);
  for (let tries = 1; tries <= 2 * SEAL_TRIES; tries += 1) {
    const sealed = await proofs.ask({ kind: 'evidence', ids: [], streams });
    const through = BigInt(sealed?.through ?? 0);
    const all = await joinedTo(log, traceId);
    const joined = all.filter(({ event }) => event.position <= through);
    const asked = streams;
    streams = ownStreams(traceId, joined);
    // The proofs are of other streams if a task joined between two checkpoints. Streams are never taken away.
    if (streams.length !== asked.length) continue;
    const unsealed = await unsealedOf(log, ownStreams(traceId, all), refusals, through);
    if (sealed !== undefined && (unsealed === 0 || tries >= SEAL_TRIES)) {
      const isKnown = joined.length > 0 || refusals.some(({ position }) => position <= through);
      return isKnown ? { sealed, joined, streams, unsealed } : undefined;
    }
    if (tries >= SEAL_TRIES) return undefined;
    await pause(SEAL_PAUSE_MS);
  }
  throw new LogUnavailable('tasks join the trace faster than checkpoints are made');
}

/** The streams whose events all belong to the trace: its own one, and those of its tasks. */
export const ownStreams = (traceId: string, joined: readonly Joined[]): readonly string[] => [
  families.trace.stream(traceId),
  ...tasksOf(joined).flatMap(streamsOfTask),
];

/** The tasks that joined a trace. */
export const tasksOf = (joined: readonly Joined[]): string[] => [
  ...new Set(joined.flatMap(({ taskId }) => taskId ?? [])),
];

/** Events of the trace after a position. They are at the ends of their streams. */
async function unsealedOf(
  log: LogReading,
  streams: readonly string[],
  refusals: readonly Reference[],
  through: bigint,
): Promise<number> {
  let count = refusals.filter(({ position }) => position > through).length;
  for (const stream of streams) {
    for (let before = await log.head(stream); before > 0; before -= PAGE) {
      const after = Math.max(0, before - PAGE);
      const page = await log.read(stream, after, before - after);
      const later = page.filter(({ position }) => position > through).length;
      count += later;
      if (later < page.length) break;
    }
  }
  return count;
}
