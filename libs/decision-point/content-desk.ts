import type { KeyObject } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { Transferable } from 'node:worker_threads';
import type { ResponseRequest } from '../calls/requests.js';
import type { PreparedProposal } from '../capability/proposal.js';
import { failed } from '../content/filter/filter.js';
import type { FilterResult } from '../content/filter/shapes.js';
import type { SchemaValidator } from '../content/schema/schema-validator.js';
import { warmRules } from '../content/search-rules.js';
import { LogUnavailable } from '../event-log/port.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { Finished } from '../offload/job-thread.js';
import type { JobPool } from '../offload/job-pool.js';
import { refuseLargeParts, type PayloadPart } from '../payloads/payload.js';
import {
  earlierPrints,
  filterApart,
  openContent,
  prepare,
  readResponse,
  rejected,
  requestPrints,
  seal,
  validate,
  type ContentJob,
  type EarlierJob,
  type FilterJob,
  type OpenedContent,
  type OpenJob,
  type PrintsJob,
  type ProposalJob,
  type ReadingLimits,
  type ReadResponse,
  type RequestPrints,
  type ResponseJob,
  type ResponseText,
  type SealJob,
  type Verdict,
} from './content-jobs.js';

/** The script that the pool's threads run. */
export const contentWorker = new URL('./content-worker.js', import.meta.url);

/** Content up to this size is processed on this thread at once: moving it to another thread costs more. */
export const INLINE_BYTES = 16_384;
/** The same limit for a response that is searched: the search takes about a millisecond for each KiB. */
const INLINE_SEARCH_BYTES = 4096;
/** The same limit for a request that is filtered: dense arguments take up to 15 ms for each KiB. */
export const INLINE_FILTER_BYTES = 4096;
/** The same limit for encryption alone. */
const INLINE_SEAL_BYTES = 262_144;

/** A response as it was read, and its verdict if it was validated. */
export interface Judged {
  readonly read: ReadResponse;
  readonly verdict?: Verdict | undefined;
}

/** The verdict, by the way in which a validation ended unfinished. */
const UNFINISHED = {
  too_costly: rejected('cap', 'caps/too_costly'),
  died: rejected('failure', 'response/validator_failed'),
} as const;

/**
 * Does the work on content: small content on this thread, all other content on threads of a pool. Both run the same
 * functions and give the same answers. Without a pool, this thread does all of it.
 */
export class ContentDesk {
  constructor(
    private readonly validator: SchemaValidator,
    private readonly limits: ReadingLimits,
    private readonly pool?: Pick<JobPool, 'run'>,
  ) {}

  /** Makes the rules of searches ready, on `threads` threads of the pool and then in small steps on this one. */
  async warm(threads: number): Promise<void> {
    // Owners take turns, so each of these jobs gets a thread of its own.
    const { pool } = this;
    const owners = pool === undefined ? [] : Array.from({ length: threads }, (_, index) => `warm ${index}`);
    const input: ContentJob = { kind: 'warm' };
    await Promise.all(owners.map(async (owner) => pool?.run({ owner, bytes: 0, input })));
    for (const _ of warmRules()) await turn();
  }

  /**
   * The task that a response belongs to, and the whole response if this thread read it. Throws `PoolOverloaded`,
   * `LogUnavailable`.
   */
  async read(
    owner: string,
    text: ResponseText,
  ): Promise<Result<Partial<ResponseRequest> & { taskId: string }, Refusal>> {
    const job = { kind: 'read', text, limits: this.limits } as const;
    const { pool } = this;
    if (pool === undefined || isSmall(text)) return readResponse(job);
    const finished = await pool.run({ owner, bytes: bytesOf(text), input: job });
    return doneOf(finished) as Result<{ taskId: string }, Refusal>;
  }

  /**
   * Reads and validates a response. Throws `PoolOverloaded`, and `LogUnavailable` if the response could not be read.
   */
  async judge(
    owner: string,
    asked: Pick<ResponseJob, 'text' | 'request' | 'key' | 'validation'>,
  ): Promise<Result<Judged, Refusal>> {
    const job: ResponseJob = { kind: 'response', limits: this.limits, ...asked };
    const { pool } = this;
    if (pool === undefined || isCheap(asked)) {
      let read: ReadResponse | undefined;
      const verdict = validate(job, this.validator, (part) => (read = part));
      return verdict.ok ? judged(read, verdict.value) : verdict;
    }
    const input: ResponseJob = { ...job, request: undefined };
    const finished = await pool.run({ owner, bytes: bytesOf(asked.text), input });
    const read = finished.part as ReadResponse | undefined;
    if (finished.kind === 'failed' && read !== undefined) {
      return judged(read, UNFINISHED[finished.why]);
    }
    const verdict = doneOf(finished) as Result<Verdict | undefined, Refusal>;
    return verdict.ok ? judged(read, verdict.value) : verdict;
  }

  /**
   * Prepares a proposal of `bytes` bytes. Refuses one whose schemas take longer to vet than a job may. Throws
   * `PoolOverloaded`, and `LogUnavailable` if the job's thread ended.
   */
  async prepare(
    owner: string,
    bytes: number,
    asked: Omit<ProposalJob, 'kind'>,
  ): Promise<Result<PreparedProposal, Refusal>> {
    const job: ProposalJob = { kind: 'proposal', ...asked };
    if (this.pool === undefined) return prepare(job);
    const finished = await this.pool.run({ owner, bytes, input: job });
    if (finished.kind === 'failed' && finished.why === 'too_costly')
      return err(refusal('malformed_request', 'the schemas of the version take too long to vet'));
    return doneOf(finished) as Result<PreparedProposal, Refusal>;
  }

  /** Whether this thread seals a record at once, without waiting. */
  sealsAtOnce(parts: readonly PayloadPart[]): boolean {
    return this.pool === undefined || sizeOf(parts) <= INLINE_SEAL_BYTES;
  }

  sealNow(key: KeyObject, place: string, parts: readonly PayloadPart[]): Uint8Array {
    return seal({ kind: 'seal', key, place, parts });
  }

  /** Seals a record. Throws `PoolOverloaded`, `LogUnavailable`, `PayloadTooLarge`. */
  async seal(owner: string, asked: Omit<SealJob, 'kind'>): Promise<Uint8Array> {
    const { pool } = this;
    refuseLargeParts(asked.parts);
    if (pool === undefined) return this.sealNow(asked.key, asked.place, asked.parts);
    // The bytes of an admitted response are counted already. Every large response waits until this one is recorded.
    const finished = await pool.run({ owner, bytes: 0, urgent: true, input: { kind: 'seal', ...asked } });
    return doneOf(finished) as Uint8Array;
  }

  /** Fingerprints of a request of `bytes` bytes. Throws `PoolOverloaded`, and `LogUnavailable` if they cannot be made. */
  async prints(owner: string, bytes: number, asked: Omit<PrintsJob, 'kind'>): Promise<RequestPrints> {
    if (this.pool === undefined) return requestPrints(asked);
    return doneOf(await this.pool.run({ owner, bytes, input: { kind: 'prints', ...asked } })) as RequestPrints;
  }

  /** Fingerprints of earlier content. Undefined if it takes too long to read. Throws `PoolOverloaded`. */
  async earlier(owner: string, asked: Omit<EarlierJob, 'kind'>): Promise<ReturnType<typeof earlierPrints> | undefined> {
    if (this.pool === undefined) return earlierPrints(asked);
    const bytes = asked.records.reduce((sum, record) => sum + record.bytes.length, 0);
    const finished = await this.pool.run({ owner, bytes, input: { kind: 'earlier', ...asked } });
    return finished.kind === 'done' ? (finished.value as ReturnType<typeof earlierPrints>) : undefined;
  }

  /** Filters a request of `bytes` bytes. Work that takes too long or dies is a failure of the filter. Throws `PoolOverloaded`. */
  async filter(owner: string, bytes: number, asked: Omit<FilterJob, 'kind'>): Promise<FilterResult> {
    if (this.pool === undefined) return filterApart(asked, this.validator);
    const finished = await this.pool.run({ owner, bytes, input: { kind: 'filter', ...asked } });
    return finished.kind === 'done' ? (finished.value as FilterResult) : failed();
  }

  /** Opens the record of a response. Throws `PoolOverloaded`, and `LogUnavailable` if it cannot be opened. */
  async open(owner: string, asked: Omit<OpenJob, 'kind'>): Promise<OpenedContent> {
    const job: ContentJob = { kind: 'open', ...asked };
    const { bytes } = asked;
    const { pool } = this;
    const opened =
      pool === undefined || bytes.length <= INLINE_BYTES
        ? openContent(job)
        : (doneOf(
            await pool.run({ owner, bytes: bytes.length, input: job, transfer: ownBufferOf(bytes) }),
          ) as ReturnType<typeof openContent>);
    if (opened === undefined) throw new LogUnavailable('the recorded response cannot be opened');
    return opened;
  }
}

/** A schema may cost more than the content, and the server wrote it too. */
function isCheap({ text, validation }: Pick<ResponseJob, 'text' | 'validation'>): boolean {
  if (validation === undefined) return isSmall(text);
  return validation.schema === undefined && bytesOf(text) <= INLINE_SEARCH_BYTES;
}

function judged(read: ReadResponse | undefined, verdict: Verdict | undefined): Result<Judged, never> {
  if (read === undefined) throw new LogUnavailable('the response could not be read');
  return ok({ read, verdict });
}

function doneOf(finished: Finished): unknown {
  if (finished.kind === 'done') return finished.value;
  throw new LogUnavailable('the content could not be processed');
}

/** The buffer to transfer, if the bytes fill it alone. */
const ownBufferOf = ({ buffer, byteLength }: Uint8Array): Transferable[] =>
  buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];

const sizeOf = (parts: readonly PayloadPart[]): number => parts.reduce((sum, { bytes }) => sum + bytes.length, 0);

export const bytesOf = (text: ResponseText): number =>
  'body' in text ? text.body.length : (text.result?.length ?? 0) + (text.error?.length ?? 0);

/** A copy that threads can share, made once. Small bytes are returned as they are. */
export function sharedIfLarge(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength <= INLINE_BYTES || bytes.buffer instanceof SharedArrayBuffer) return bytes;
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
  shared.set(bytes);
  return shared;
}

export const isSmall = (text: ResponseText): boolean => bytesOf(text) <= INLINE_BYTES;
