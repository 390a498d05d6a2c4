/** The messages between the index and its worker thread. */

import type { TaskStatus } from '../../task/decider.js';

export type Cell = string | number | bigint;

/** The last event that the index holds. It shows whether the log is still the one that the index was made from. */
export interface Mark {
  readonly position: bigint;
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
}

/** Conditions on calls, all of which must hold. Times are in milliseconds since the epoch, both ends included. */
export interface CallFilter {
  readonly capability?: string | undefined;
  readonly version?: string | undefined;
  readonly task?: string | undefined;
  /** The user, the agent, the host or the actor. Of several names, any. */
  readonly identity?: string | readonly string[] | undefined;
  readonly host?: string | undefined;
  readonly decision?: string | undefined;
  readonly reason?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  /** Only calls of these versions. */
  readonly versions?: readonly { readonly capability: string; readonly version: string }[] | undefined;
  /** `versions` are most of all versions: the query goes by time and skips the others. */
  readonly manyVersions?: boolean | undefined;
}

/** Conditions on tasks, all of which must hold. `atMs` is the instant to which the status refers. */
export interface TaskListFilter {
  readonly host?: string | undefined;
  readonly status?: TaskStatus | undefined;
  readonly atMs: number;
}

/** The end of a page: the time and the number of its last call or task. */
export interface Place {
  readonly timeMs: number;
  readonly seq: number;
}

/** The place of an attempt in the log. */
export interface Reference {
  readonly position: bigint;
  readonly stream: string;
  readonly revision: number;
}

export type IndexRequest =
  /** Answers the `Mark`, or nothing if the index is empty. */
  | { readonly kind: 'mark' }
  /** Empties the index. */
  | { readonly kind: 'reset' }
  /**
   * `cells` are position, type and JSON of each event. `from` is the position that the sender expects the index to
   * have.
   */
  | { readonly kind: 'ingest'; readonly from: bigint; readonly mark: Mark; readonly cells: readonly Cell[] }
  /** Answers a `FoundCalls`, newest first. */
  | { readonly kind: 'calls'; readonly filter: CallFilter; readonly before?: Place | undefined; readonly limit: number }
  /** Answers `Reference[]`, oldest first. */
  | { readonly kind: 'refusals'; readonly traceId: string; readonly limit: number }
  /** Answers a `DrawnCalls`, oldest first. `asOf` is the last position to draw from. */
  | { readonly kind: 'draw'; readonly seed: string; readonly count: number; readonly asOf: bigint }
  /** Answers a `FoundTasks`, newest first. */
  | {
      readonly kind: 'tasks';
      readonly filter: TaskListFilter;
      readonly before?: Place | undefined;
      readonly limit: number;
    }
  /** Answers a boolean. */
  | {
      readonly kind: 'pinned';
      readonly host: string;
      readonly capability: string;
      readonly version: string;
      readonly atMs: number;
    }
  /** Answers the ids of tasks, `string[]`. */
  | ({ readonly kind: 'unshredded' } & UnshreddedFilter)
  /** Answers a number. */
  | { readonly kind: 'count_unshredded'; readonly users: readonly string[] }
  /** Answers a number. */
  | ({ readonly kind: 'open_tasks'; readonly atMs: number } & TaskFilter);

/** Tasks that were not shredded: the first of those that ended before a time, or of one of these users. */
export interface UnshreddedFilter {
  readonly wanted: { readonly endedBeforeMs: number } | { readonly users: readonly string[] };
  readonly limit: number;
}

/** Tasks of any of these hosts that pin any of these versions. If `task` is given, that task alone. */
export interface TaskFilter {
  readonly versions: readonly { readonly capability: string; readonly version: string }[];
  readonly hosts: readonly string[];
  readonly task?: string | undefined;
}

export interface FoundCalls {
  readonly references: readonly Reference[];
  /** The place of the last one, if there are more. */
  readonly next?: Place;
}

export interface FoundTasks {
  readonly taskIds: readonly string[];
  /** The place of the last one, if there are more. */
  readonly next?: Place;
}

/**
 * `start_over`: the index is not at the position that the sender expected, or had to be emptied. The sender must ask
 * for its mark.
 */
export type IndexReply =
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'start_over' }
  | { readonly kind: 'failed'; readonly code: string };
