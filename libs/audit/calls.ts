import { z } from 'zod';
import type { ControlView } from '../control/control-view.js';
import type { DecisionEngines } from '../decision-point/engines.js';
import type { EventLog, RecordedEvent } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import type { Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { toMs } from '../kernel/time.js';
import { InstantText, Label, NameId, Uuid, VersionId } from '../vocabulary/ids.js';
import { ReasonCode, VersionStatus } from '../vocabulary/words.js';
import { attemptsOf, type Attempt } from './attempts.js';
import type { CallIndex } from './index/call-index.js';
import { cursorOf, placeIn } from './cursor.js';
import { summaryOf, type CallSummary } from './evidence.js';
import type { DirectiveHistory } from './directive-history.js';
import { History } from './history.js';
import type { CallFilter, Reference } from './index/messages.js';
import { Reconstructor } from './reconstruct.js';
import { byPosition } from './stored-event.js';
import { eventAt } from './trace-record.js';

/**
 * The query of `GET /v1/audit/calls`; all conditions that are there must hold. `from` and `to` are both included.
 *
 * `reviewStatus` is the status that the version has *now*. What it was at the decision the reason says already (any
 * allow had an approved one); what an auditor asks after a revocation is which calls went to what nobody trusts any
 * more, and no other condition answers that.
 */
export const CallQuery = z.object({
  capability: NameId.optional(),
  version: VersionId.optional(),
  task: Uuid.optional(),
  identity: Label.optional(),
  host: NameId.optional(),
  reviewStatus: VersionStatus.optional(),
  decision: z.enum(['allow', 'deny']).optional(),
  reason: z.union([z.literal('ok'), ReasonCode]).optional(),
  from: InstantText.optional(),
  to: InstantText.optional(),
});
export type CallQuery = z.infer<typeof CallQuery>;

/** Calls of one page at most, and where none is named. */
export const MAX_CALLS = 200;
export const DEFAULT_CALLS = 50;

/** Finds calls by what is asked about them, whatever trace they belong to. */
export class CallAudit {
  constructor(
    private readonly log: EventLog,
    private readonly view: ControlView,
    private readonly engines: DecisionEngines,
    private readonly index: CallIndex,
    private readonly directives: DirectiveHistory,
  ) {}

  /**
   * A page of recorded attempts, newest first by time; `next` is the opaque cursor of the following one. An attempt whose
   * record cannot be read is left out here and shows in the replay of its trace. Throws `LogUnavailable`,
   * `IndexUnavailable`.
   */
  async find(
    query: CallQuery,
    limit = DEFAULT_CALLS,
    cursor?: string,
  ): Promise<Result<{ items: CallSummary[]; next?: string }, Refusal>> {
    const before = placeIn(cursor);
    if (!before.ok) return err(before.error);
    const size = Math.min(Math.max(1, limit), MAX_CALLS);
    const { references, next } = await this.index.calls(await this.filterOf(query), size, before.value);
    const attempts = await this.attemptsAt(references);
    const reconstructor = new Reconstructor(this.log, this.engines, new History(this.log, this.directives));
    const summaries = new Map<string, CallSummary>();
    // In order of the log, so that states are folded forward.
    for (const [key, attempt] of [...attempts].sort(([, a], [, b]) => byPosition(a.event, b.event))) {
      summaries.set(key, await summaryOf(reconstructor, attempt));
    }
    const items = references.flatMap((reference) => summaries.get(keyOf(reference)) ?? []);
    return ok(defined({ items, next: next === undefined ? undefined : cursorOf(next) }));
  }

  private async filterOf({ from, to, reviewStatus, ...query }: CallQuery): Promise<CallFilter> {
    return defined({
      ...query,
      fromMs: from === undefined ? undefined : toMs(from),
      toMs: to === undefined ? undefined : toMs(to),
      ...(reviewStatus === undefined
        ? {}
        : { versions: await this.versionsIn(reviewStatus), manyVersions: reviewStatus === 'approved' }),
    });
  }

  private async versionsIn(status: VersionStatus): Promise<{ capability: string; version: string }[]> {
    const found: { capability: string; version: string }[] = [];
    for await (const { id, versions } of this.view.capabilitiesFrom()) {
      for (const { version, status: is } of versions.values())
        if (is === status) found.push({ capability: id, version });
    }
    return found;
  }

  /** What came of an attempt stands after it in the same stream: each stream is read once, from its first attempt on. */
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
      if (stream.startsWith('calls-')) firsts.set(stream, Math.min(revision, firsts.get(stream) ?? revision));
      else take([await eventAt(this.log, reference)].filter((event) => event !== undefined));
    }
    for (const [stream, first] of firsts) take(await this.log.read(stream, first - 1));
    return found;
  }
}

const keyOf = ({ stream, revision }: Pick<Reference, 'stream' | 'revision'>): string => `${stream}@${revision}`;
