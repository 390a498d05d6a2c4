import type { Instant } from '../../kernel/time.js';
import type {
  ApprovalFilter,
  FoundApprovals,
  BlockFilter,
  BlockRange,
  CallFilter,
  DrawnCalls,
  FoundCalls,
  FoundTasks,
  Place,
  Reference,
  TaskListFilter,
} from './messages.js';

/** The queries of auditors to the index. */
export interface IndexQueries {
  /** Calls that fulfil all of a filter's conditions, newest first by time. */
  calls(filter: CallFilter, limit: number, before?: Place): FoundCalls;
  /** All attempts at a call, in order of the log. Two tasks may have a call of the same id. */
  attempts(callId: string): readonly Reference[];
  /** Refused calls with a trace id after a position, in order of the log. */
  refusals(traceId: string, after: bigint, limit: number): readonly Reference[];
  /** Calls drawn at random up to a position, in order of the log. The same seed draws the same calls. */
  draw(seed: string, count: number, asOf: bigint): DrawnCalls;
  /** The capabilities whose drift stopped a call of a trace. */
  drifted(traceId: string): readonly string[];
  /** The position of the last event of each of these streams; 0 if it has none. */
  ends(streams: readonly string[]): readonly bigint[];
  /** Tasks that fulfil all of a filter's conditions, the newest first. */
  tasks(filter: TaskListFilter, limit: number, before?: Place): FoundTasks;
  /** Approvals that fulfil all of a filter's conditions, the newest first. */
  approvals(filter: ApprovalFilter, limit: number, before?: Place): FoundApprovals;
  /** When a response of each of these tasks first held an instruction. */
  taints(taskIds: readonly string[]): readonly (Instant | undefined)[];
  /** The parts of the log after a position that can hold such an event, in order: at most `limit`. */
  blocks(filter: BlockFilter, after: bigint, limit: number): readonly BlockRange[];
}

/** The index as auditors use it. All methods throw `IndexUnavailable`. */
export type IndexReading = {
  readonly [Name in keyof IndexQueries]: (
    ...asked: Parameters<IndexQueries[Name]>
  ) => Promise<ReturnType<IndexQueries[Name]>>;
} & {
  /**
   * A position up to which the index has everything, at or after all that was committed before the request. Evidence is
   * complete as of this position.
   */
  asOf(): Promise<bigint>;
};

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

type Ask = (name: keyof IndexQueries, asked: readonly unknown[]) => Promise<unknown>;

/** The queries by one function that asks them elsewhere. */
export function readingBy(ask: Ask): Omit<IndexReading, 'asOf'> {
  const by = <Name extends keyof IndexQueries>(name: Name) =>
    ((...asked: readonly unknown[]) => ask(name, asked)) as IndexReading[Name];
  return {
    calls: by('calls'),
    attempts: by('attempts'),
    refusals: by('refusals'),
    draw: by('draw'),
    drifted: by('drifted'),
    ends: by('ends'),
    tasks: by('tasks'),
    approvals: by('approvals'),
    taints: by('taints'),
    blocks: by('blocks'),
  };
}
