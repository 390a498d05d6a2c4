import type { DrawnCalls } from './draw.js';
import type { CallFilter, FoundCalls, FoundTasks, Place, Reference, TaskListFilter } from './messages.js';

/** The queries of auditors to the index of calls. All methods throw `IndexUnavailable`. */
export interface IndexReading {
  /**
   * A position up to which the index has everything, at or after all that was committed before the request. Evidence is
   * complete as of this position.
   */
  asOf(): Promise<bigint>;
  /** Calls that fulfil all of a filter's conditions, newest first by time. */
  calls(filter: CallFilter, limit: number, before?: Place): Promise<FoundCalls>;
  /** Refused calls with a trace id, in order of the log. */
  refusals(traceId: string, limit: number): Promise<readonly Reference[]>;
  /** Calls drawn at random up to a position, in order of the log. The same seed draws the same calls. */
  draw(seed: string, count: number, asOf: bigint): Promise<DrawnCalls>;
  /** Tasks that fulfil all of a filter's conditions, the newest first. */
  tasks(filter: TaskListFilter, limit: number, before?: Place): Promise<FoundTasks>;
}

/** Lets another reader of the same file see the index as its owner does. */
export interface IndexStamp {
  /** The answer of `asOf`. */
  readonly end: bigint;
  /** The last event in the file has at least this position. */
  readonly stored: bigint;
  /** Changes whenever the file may have been replaced. */
  readonly generation: number;
}

/** The index cannot answer now: it is being opened or rebuilt, or it has too many requests. A later try may succeed. */
export class IndexUnavailable extends Error {
  override readonly name = 'IndexUnavailable';
}
