import type { StandingDirectives } from '../directive/decider.js';
import type { EventLog, RecordedEvent } from '../event-log/port.js';
import { shared } from '../kernel/shared.js';
import { systemClock, type Clock } from '../kernel/time.js';
import { KnownDirectives, type FoundEvents, type Moment } from './known-directives.js';
import { soundPrefix } from './soundness.js';

const STREAM = 'directives';
/** Events that are read and verified in one turn. */
const PAGE = 500;
/** Events of the stream that are read in vain rather than asked for apart. */
const MAX_GAP = 100;
const MAX_AT_ONCE = 32;
/** What was found sound is believed for so long. */
const MAX_AGE_MS = 60_000;

/** Events of directives by epoch, as one request has read them. */
export type ShownDirectives = Map<number, RecordedEvent>;

/**
 * Every directive there ever was, as of any epoch. All evidence rests on this one stream, which only grows, so it is
 * read and verified for many requests together, and what is appended later is added to it. It is no second copy of the
 * evidence: after a minute it is read anew, and the events are read from the log wherever they are shown.
 */
export class DirectiveHistory {
  private known = new KnownDirectives();
  private readAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly log: EventLog,
    private readonly clock: Pick<Clock, 'monotonicMs'> = systemClock,
  ) {}

  /** Takes in what had been appended when it was called. Throws `LogUnavailable`. */
  readonly refresh: () => Promise<void> = shared(async () => {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.readAtMs < MAX_AGE_MS) return this.readInto(this.known);
    const known = new KnownDirectives();
    await this.readInto(known);
    // All at once: until then others rest on what was known before.
    this.known = known;
    this.readAtMs = nowMs;
  });

  /** The directives as they stood at an epoch. Throws `Damage` where the log, as last read, is not sound up to there. */
  asOf(epoch: number): StandingDirectives {
    return this.known.asOf(epoch);
  }

  /**
   * The events of all directives about these subjects (`subjectOf`), and of their lifting, as far as they are wanted.
   * What is in `shown` already is not read again. Throws `LogUnavailable`.
   */
  about(
    subjects: ReadonlySet<string>,
    wanted: (at: Moment) => boolean,
    shown: ShownDirectives = new Map(),
  ): Promise<RecordedEvent[]> {
    return this.read(this.known.about(subjects, wanted), shown);
  }

  /** The events that belong to a trace. Throws `LogUnavailable`. */
  ofTrace(traceId: string): Promise<RecordedEvent[]> {
    return this.read(this.known.ofTrace(traceId), new Map());
  }

  private async readInto(known: KnownDirectives): Promise<void> {
    for (let more = true; more;) {
      const events = await this.log.read(STREAM, known.epoch, PAGE);
      const taken = known.take(events.slice(0, soundPrefix(STREAM, events, known.epoch)));
      more = taken === PAGE;
      if (!more) known.takeUnsound(taken === events.length ? [] : await this.log.read(STREAM, known.epoch));
    }
  }

  /** In order; neighbours are read together. */
  private async read({ epochs, unsound }: FoundEvents, shown: ShownDirectives): Promise<RecordedEvent[]> {
    const ordered = [...new Set(epochs)].sort((a, b) => a - b);
    const runs: { readonly first: number; last: number }[] = [];
    for (const epoch of ordered.filter((each) => !shown.has(each))) {
      const run = runs.at(-1);
      if (run !== undefined && epoch - run.last <= MAX_GAP) run.last = epoch;
      else runs.push({ first: epoch, last: epoch });
    }
    for (let from = 0; from < runs.length; from += MAX_AT_ONCE) {
      const reads = runs
        .slice(from, from + MAX_AT_ONCE)
        .map(({ first, last }) => this.log.read(STREAM, first - 1, last - first + 1));
      for (const event of (await Promise.all(reads)).flat()) shown.set(event.revision, event);
    }
    return [...ordered.flatMap((epoch) => shown.get(epoch) ?? []), ...unsound];
  }
}
