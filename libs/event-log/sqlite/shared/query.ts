import type { DamagedPlace } from '../../port.js';

/** One value of an answer: answers of the reader are flat arrays, and bytes if there are any. */
export type Cell = string | number;

/** In place of the length of a payload: there is none. */
export const NO_PAYLOAD = -1;

/**
 * A query for the reader thread. Positions and revisions are below 2^53: this store counts from 1. `shown`: damaged events
 * are in their places (`isDamaged`), else they fail the query.
 */
export type Query =
  | { readonly kind: 'head'; readonly stream: string; readonly shown?: boolean }
  | {
      readonly kind: 'stream';
      readonly stream: string;
      readonly after: number;
      readonly limit: number;
      readonly shown?: boolean;
    }
  | {
      readonly kind: 'all';
      readonly after: number;
      readonly categories: readonly string[] | null;
      readonly limit: number;
      readonly shown?: boolean;
    }
  | { readonly kind: 'last'; readonly limit: number }
  | { readonly kind: 'end' }
  | { readonly kind: 'payload'; readonly stream: string; readonly revision: number }
  | { readonly kind: 'payloads'; readonly streams: readonly string[]; readonly revisions: readonly number[] }
  | { readonly kind: 'blob'; readonly digest: string };

/**
 * - `head`: [revision]   - `end`: [position]   - `payload`, `blob`: no cells, and the bytes where there are any
 * - `payloads`: of each its length, -1 where there is none, and the bytes of all of them
 * - `stream`, `all`, `last`: [end of the log, 1 where more may follow, number of events, then of each:
 *   position, stream, revision, type, json]
 */
export interface Found {
  readonly cells: readonly Cell[];
  readonly bytes?: Uint8Array;
}

/** The answer to one query: the cells and bytes, or why the query failed. `failure` holds no SQL and no path. `damaged`: the event. */
export type Answer = { readonly found: Found } | { readonly failure: string; readonly damaged?: DamagedPlace | true };

/** Reads cells in the order in which they were pushed. Both ends are ours: a wrong cell is a bug. */
export class CellReader {
  private at = 0;

  constructor(private readonly cells: readonly Cell[]) {}

  text(): string {
    const cell = this.cells[this.at++];
    if (typeof cell !== 'string') throw new TypeError('a message that does not hold what it should');
    return cell;
  }

  number(): number {
    const cell = this.cells[this.at++];
    if (typeof cell !== 'number') throw new TypeError('a message that does not hold what it should');
    return cell;
  }

  list<Item>(item: () => Item): Item[] {
    return Array.from({ length: this.number() }, item);
  }
}
