import { AUDIT_PAGE, type CallQuery } from '../contract/audit.js';
import type { CallSummary, DamagedEvent, MissingEvent } from '../contract/evidence.js';
import type { DecisionEngines } from '../decision-point/engines.js';
import type { LogReading } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import type { Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { toMs } from '../kernel/time.js';
import type { KeyReading } from '../payloads/keyring.js';
import { attemptsAt, type FoundAttempt } from './attempts-at.js';
import { Contents } from './contents.js';
import { cursorOf, placeIn } from './cursor.js';
import type { DirectiveHistory } from './directive-history.js';
import { summaryOf } from './evidence.js';
import { History } from './history.js';
import type { CallFilter } from './index/messages.js';
import type { IndexReading } from './index/reading.js';
import { Reconstructor } from './reconstruct.js';
import { byPosition, lostItem } from './stored-event.js';
import { namesOf, rememberedUsers } from './users.js';

/** A call, or its place if the log cannot show it. */
export type ListedCall = CallSummary | DamagedEvent | MissingEvent;

/** Finds calls by conditions on them, in any trace. */
export class CallAudit {
  constructor(
    private readonly log: LogReading,
    private readonly keys: KeyReading,
    private readonly engines: DecisionEngines,
    private readonly index: IndexReading,
    private readonly directives: DirectiveHistory,
  ) {}

  /**
   * A page of recorded attempts, newest first by time; `next` is the opaque cursor of the following page. Throws
   * `LogUnavailable`, `KeyringUnavailable`, `IndexUnavailable`.
   */
  async find(
    query: CallQuery,
    limit: number = AUDIT_PAGE.defaultLimit,
    cursor?: string,
  ): Promise<Result<{ items: ListedCall[]; next?: string }, Refusal>> {
    const before = placeIn(cursor);
    if (!before.ok) return err(before.error);
    const { references, next } = await this.index.calls(await this.filterOf(query), limit, before.value);
    const found = await attemptsAt(this.log, references);
    const contents = new Contents(this.log, this.keys);
    const history = new History(this.log, this.directives);
    const reconstructor = new Reconstructor(this.log, this.engines, history);
    const sources = { reconstructor, history, contents, users: rememberedUsers(this.keys) };
    const items = new Map<FoundAttempt, ListedCall>();
    // In order of the log, so that states only move forward.
    for (const each of [...found].sort((a, b) => byPosition(a.reference, b.reference))) {
      if ('attempt' in each) items.set(each, await summaryOf(sources, each.attempt));
      else items.set(each, lostItem(each));
    }
    return ok(
      defined({
        items: found.flatMap((each) => items.get(each) ?? []),
        next: next === undefined ? undefined : cursorOf(next),
      }),
    );
  }

  private async filterOf({ from, to, identity, user, ...query }: CallQuery): Promise<CallFilter> {
    return defined({
      ...query,
      identity: identity === undefined ? undefined : await namesOf(this.keys, identity),
      user: user === undefined ? undefined : await namesOf(this.keys, user),
      fromMs: from === undefined ? undefined : toMs(from),
      toMs: to === undefined ? undefined : toMs(to),
    });
  }
}
