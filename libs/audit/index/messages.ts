/** The messages between the index and its worker thread. */

import type { TaskStatus } from '../../task/decider.js';
import type { ApprovalStatus, VersionStatus } from '../../vocabulary/words.js';

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
  readonly call?: string | undefined;
  readonly trace?: string | undefined;
  readonly task?: string | undefined;
  readonly capability?: string | undefined;
  readonly version?: string | undefined;
  readonly operation?: string | undefined;
  /** The version of the policies that were in force. */
  readonly policyVersion?: number | undefined;
  /** The user, the agent, the host or the actor. Of several names, any. */
  readonly identity?: string | readonly string[] | undefined;
  /** Of several names, any. */
  readonly user?: string | readonly string[] | undefined;
  readonly agent?: string | undefined;
  readonly host?: string | undefined;
  readonly decision?: string | undefined;
  readonly reason?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  /** Calls whose response is held now, or was held and is released. */
  readonly held?: 'held' | 'released' | undefined;
  /** The status that the version has now. */
  readonly reviewStatus?: VersionStatus | undefined;
}

/** Conditions on tasks, all of which must hold. `atMs` is the instant to which the status refers. */
export interface TaskListFilter {
  readonly host?: string | undefined;
  readonly status?: TaskStatus | undefined;
  readonly atMs: number;
}

/** Conditions on approvals, all of which must hold. `atMs` is the instant to which the state refers. */
export interface ApprovalFilter {
  readonly id?: string | undefined;
  readonly task?: string | undefined;
  readonly capability?: string | undefined;
  readonly state?: ApprovalStatus | undefined;
  readonly atMs: number;
}

/** The revisions of an approval in `calls-<taskId>`. `used`: an allow rests on it. */
export interface ApprovalReference {
  readonly taskId: string;
  readonly requested: number;
  readonly decided?: number;
  readonly used: boolean;
  /** In the list. */
  readonly place: Place;
}

export interface FoundApprovals {
  readonly approvals: readonly ApprovalReference[];
  readonly next?: Place;
}

/** Conditions on events, all of which must hold. They say in which blocks of the log a search has to look. */
export interface BlockFilter {
  readonly types?: readonly string[] | undefined;
  readonly actor?: string | undefined;
  readonly capability?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

/** Positions, both included. */
export interface BlockRange {
  readonly first: bigint;
  readonly last: bigint;
}

/** The end of a page: the time and the number of its last call or task. */
export interface Place {
  readonly timeMs: number;
  readonly seq: number;
}

/** The place of an attempt in the log, and the revisions of its response, its release and its outcome in the same stream. */
export interface Reference {
  readonly position: bigint;
  readonly stream: string;
  readonly revision: number;
  readonly response?: number;
  readonly released?: number;
  readonly outcome?: number;
}

export type IndexRequest =
  /** Answers the `Mark`, or nothing if the index is empty. */
  | { readonly kind: 'mark' }
  /** Empties the index. */
  | { readonly kind: 'reset' }
  /**
   * `cells` are position, stream, revision, type and JSON of each event. `from` is the position that the sender expects
   * the index to have.
   */
  | { readonly kind: 'ingest'; readonly from: bigint; readonly mark: Mark; readonly cells: readonly Cell[] }
  /** Answers what the query answers. */
  | { readonly kind: 'query'; readonly name: string; readonly asked: readonly unknown[] }
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

/** Calls drawn at random. */
export interface DrawnCalls {
  /** The calls that they were drawn from. */
  readonly total: number;
  /** In order of the log. */
  readonly references: readonly Reference[];
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
