import { AUDIT_PAGE, type CallQuery } from '../contract/audit.js';
import type { CallSummary } from '../contract/evidence.js';
import type { DecisionEngines } from '../decision-point/engines.js';
import type { LogReading, RecordedEvent } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import type { Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { toMs } from '../kernel/time.js';
import { families } from '../streams/catalogue.js';
import { attemptsOf, type Attempt } from './attempts.js';
import type { IndexReading } from './index/reading.js';
import { cursorOf, placeIn } from './cursor.js';
import { summaryOf } from './evidence.js';
import type { DirectiveHistory } from './directive-history.js';
import { History } from './history.js';
import type { CallFilter, Reference } from './index/messages.js';
import { namesOf, type Users } from './users.js';
import { Reconstructor } from './reconstruct.js';
import { byPosition } from './stored-event.js';
import { eventAt } from './trace-record.js';

interface Versioned {
  readonly capability: string;
  readonly version: string;
}

/** Finds calls by conditions on them, in any trace. */
export class CallAudit {
  constructor(
    private readonly log: LogReading,
    private readonly engines: DecisionEngines,
    private readonly index: IndexReading,
    private readonly directives: DirectiveHistory,
    private readonly users: Users,
  ) {}

  /**
   * A page of recorded attempts, newest first by time. `versions` are those in the review status of the query;
   * `next` is the opaque cursor of the following page. An attempt with
   * an unreadable record is missing here, and visible in the replay of its trace. Throws `LogUnavailable`,
   * `IndexUnavailable`, `KeyringUnavailable`.
   */
  async find(
    query: CallQuery,
    limit: number = AUDIT_PAGE.defaultLimit,
    cursor?: string,
    versions: readonly Versioned[] = [],
  ): Promise<Result<{ items: CallSummary[]; next?: string }, Refusal>> {
    const before = placeIn(cursor);
    if (!before.ok) return err(before.error);
    const size = Math.min(Math.max(1, limit), AUDIT_PAGE.maxLimit);
    const { references, next } = await this.index.calls(await this.filterOf(query, versions), size, before.value);
    const attempts = await this.attemptsAt(references);
    const reconstructor = new Reconstructor(this.log, this.engines, new History(this.log, this.directives));
    const summaries = new Map<string, CallSummary>();
    // In order of the log, so that states only move forward.
    for (const [key, attempt] of [...attempts].sort(([, a], [, b]) => byPosition(a.event, b.event))) {
      summaries.set(key, await summaryOf(reconstructor, this.users, attempt));
    }
    const items = references.flatMap((reference) => summaries.get(keyOf(reference)) ?? []);
    return ok(defined({ items, next: next === undefined ? undefined : cursorOf(next) }));
  }

  private async filterOf(
    { from, to, reviewStatus, identity, ...query }: CallQuery,
    versions: readonly Versioned[],
  ): Promise<CallFilter> {
    return defined({
      ...query,
      identity: identity === undefined ? undefined : await namesOf(this.users, identity),
      fromMs: from === undefined ? undefined : toMs(from),
      toMs: to === undefined ? undefined : toMs(to),
      ...(reviewStatus === undefined ? {} : { versions, manyVersions: reviewStatus === 'approved' }),
    });
  }

  /** Response and outcome follow their attempt in the same stream: each stream is read once, from its first attempt on. */
  private async attemptsAt(references: readonly Reference[]): Promise<Map<string, Attempt>> {
    const found = new Map<string, Attempt>();
    const wanted = new Set(references.map(keyOf));
    const firsts = new Map<string, number>();
    const take = (events: readonly RecordedEvent[]) => {
      for (const attempt of attemptsOf(events).attempts) {
        if (wanted.has(keyOf(attempt.event))) found.set(keyOf(attempt.event), attempt);
      }
    };
    for (const reference of references) {
      const { stream, revision } = reference;
      if (families.calls.has(stream)) firsts.set(stream, Math.min(revision, firsts.get(stream) ?? revision));
      else take([await eventAt(this.log, reference)].filter((event) => event !== undefined));
    }
    for (const [stream, first] of firsts) take(await this.log.read(stream, first - 1));
    return found;
  }
}

const keyOf = ({ stream, revision }: Pick<Reference, 'stream' | 'revision'>): string => `${stream}@${revision}`;
