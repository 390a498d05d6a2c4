import type { StandingDirectives } from '../directive/decider.js';
import type { Target } from '../directive/target.js';
import type { LogReading, RecordedEvent } from '../event-log/port.js';
import { shared } from '../kernel/shared.js';
import { systemClock, type Clock } from '../kernel/time.js';
import { families } from '../streams/catalogue.js';
import { DirectiveTimeline, type FoundEvents, type Moment } from './directive-timeline.js';
import { soundPrefix } from './soundness.js';

const STREAM = families.directives.stream();
/** Events that are read and verified in one turn. */
const PAGE = 500;
/** Most unneeded events between two needed ones that one read includes, instead of a second read. */
const MAX_GAP = 100;
const MAX_AT_ONCE = 32;
/** Verified events are trusted for this long, then read and verified again. */
const MAX_AGE_MS = 60_000;

/** Events of directives by epoch that one request has read. */
export type ShownDirectives = Map<number, RecordedEvent>;

/**
 * All directives, as of any epoch. All evidence relies on this one stream, which only grows. So many requests share one
 * verified reading of it, and later events are added. It is not a second copy of the evidence: every minute it starts
 * over, and shown events are read from the log.
 */
export class DirectiveHistory {
  private known = new DirectiveTimeline();
  private readAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly log: Pick<LogReading, 'read'>,
    private readonly clock: Pick<Clock, 'monotonicMs'> = systemClock,
  ) {}

  /** Takes in all events that were appended before the call. Throws `LogUnavailable`. */
  readonly refresh: () => Promise<void> = shared(async () => {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.readAtMs < MAX_AGE_MS) return this.readInto(this.known);
    const known = new DirectiveTimeline();
    await this.readInto(known);
    // Other requests use the earlier reading until this one step replaces it.
    this.known = known;
    this.readAtMs = nowMs;
  });

  /** The directives in force at an epoch. Throws `Damage` if the log, as last read, is not sound up to that epoch. */
  asOf(epoch: number): StandingDirectives {
    return this.known.asOf(epoch);
  }

  /**
   * The wanted events of all directives about these subjects (`subjectOf`), and of their lifting. Events in `shown` are
   * not read again. Throws `LogUnavailable`.
   */
  about(
    subjects: ReadonlySet<string>,
    wanted: (at: Moment) => boolean,
    shown: ShownDirectives = new Map(),
  ): Promise<RecordedEvent[]> {
    return this.read(this.known.about(subjects, wanted), shown);
  }

  /** The target of a directive, as last read; undefined if it is unknown. */
  targetOf(id: string): Target | undefined {
    return this.known.targetOf(id);
  }

  /** The events that belong to a trace. Throws `LogUnavailable`. */
  ofTrace(traceId: string): Promise<RecordedEvent[]> {
    return this.read(this.known.ofTrace(traceId), new Map());
  }

  private async readInto(known: DirectiveTimeline): Promise<void> {
    for (let more = true; more;) {
      const events = await this.log.read(STREAM, known.epoch, PAGE);
      const taken = known.take(events.slice(0, soundPrefix(STREAM, events, known.epoch)));
      more = taken === PAGE;
      if (!more) known.takeUnsound(taken === events.length ? [] : await this.log.read(STREAM, known.epoch));
    }
  }

  /** The events in order. One read serves neighbours. */
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
