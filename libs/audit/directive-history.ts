import type { DirectiveEvent, DirectiveState, StandingDirectives } from '#libs/directive/decider.js';
import { targetKey, type Target } from '#libs/directive/target.js';
import { parseEvent, type Event } from '#libs/event-log/event.js';
import type { EventLog, RecordedEvent } from '#libs/event-log/port.js';
import { shared } from '#libs/kernel/shared.js';
import { systemClock, type Clock, type Instant } from '#libs/kernel/time.js';
import { Damage, soundPrefix } from './soundness.js';

/** Where an event of the stream stands; its revision is the epoch. */
export interface Moment {
  readonly epoch: number;
  readonly position: bigint;
  readonly time: Instant;
}

/** A directive from its issue to its lifting. */
interface Span {
  readonly directive: Pick<DirectiveState, 'id' | 'target' | 'cause'>;
  readonly issued: Moment;
  lifted?: Moment;
}

const STREAM = 'directives';
/** Events that are read and verified in one turn. */
const PAGE = 500;
/** Events of the stream that are read in vain rather than asked for apart. */
const MAX_GAP = 32;
const MAX_AT_ONCE = 16;
/** What was found sound is believed for so long. */
const MAX_AGE_MS = 60_000;

/**
 * Every directive there ever was, as of any epoch. All evidence rests on this one stream, which only grows, so it is
 * read and verified for many requests together, and what is appended later is added to it. It is no second copy of the
 * evidence: after a minute it is read anew, and the events are read from the log wherever they are shown.
 */
export class DirectiveHistory {
  private known = new Known();
  private readAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly log: EventLog,
    private readonly clock: Pick<Clock, 'monotonicMs'> = systemClock,
  ) {}

  /** Takes in what had been appended when it was called. Throws `LogUnavailable`. */
  readonly refresh: () => Promise<void> = shared(async () => {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.readAtMs < MAX_AGE_MS) return this.readInto(this.known);
    const known = new Known();
    await this.readInto(known);
    // All at once: until then others rest on what was known before.
    this.known = known;
    this.readAtMs = nowMs;
  });

  private async readInto(known: Known): Promise<void> {
    for (let more = true; more;) {
      const events = await this.log.read(STREAM, known.epoch, PAGE);
      const taken = known.take(events.slice(0, soundPrefix(STREAM, events, known.epoch)));
      more = taken === PAGE;
      const rest = more || taken === events.length ? [] : await this.log.read(STREAM, known.epoch);
      known.unsound = rest.flatMap(readable);
    }
  }

  /** The directives as they stood at an epoch. Throws `Damage` where the log, as last read, is not sound up to there. */
  asOf(epoch: number): StandingDirectives {
    const { known } = this;
    if (epoch > known.epoch) throw new Damage(`${STREAM} cannot be read up to revision ${epoch}`);
    const stands = ({ issued, lifted }: Span): boolean =>
      issued.epoch <= epoch && (lifted === undefined || lifted.epoch > epoch);
    const get = (key: string) => {
      const spans = known.byTarget.get(key)?.filter(stands);
      return spans?.map(({ directive }) => directive);
    };
    return { epoch, active: { get } };
  }

  /** The events of all directives about these subjects, and of their lifting, as far as they are wanted; in order. */
  async about(
    subjects: ReadonlySet<string>,
    wanted: (at: Pick<Moment, 'position' | 'time'>) => boolean,
  ): Promise<RecordedEvent[]> {
    const { bySubject, unsound } = this.known;
    const epochs: number[] = [];
    const ids = new Set<string>();
    for (const subject of subjects) {
      for (const { directive, issued, lifted } of bySubject.get(subject) ?? []) {
        if (!wanted(issued)) continue;
        ids.add(directive.id);
        epochs.push(issued.epoch);
        if (lifted !== undefined && wanted(lifted)) epochs.push(lifted.epoch);
      }
    }
    const events = await this.eventsAt(epochs);
    for (const { recorded, id, moment, subject } of unsound) {
      if (!wanted(moment)) continue;
      if (subject !== undefined && subjects.has(subject)) ids.add(id);
      if (ids.has(id)) events.push(recorded);
    }
    return events;
  }

  /** The events that belong to a trace. */
  async ofTrace(traceId: string): Promise<RecordedEvent[]> {
    const { byTrace, unsound } = this.known;
    const events = await this.eventsAt(byTrace.get(traceId) ?? []);
    const others = unsound.filter((read) => read.traceId === traceId);
    return [...events, ...others.map(({ recorded }) => recorded)];
  }

  /** In order; neighbours are read together. */
  private async eventsAt(epochs: readonly number[]): Promise<RecordedEvent[]> {
    const wanted = new Set(epochs);
    const runs: { readonly first: number; last: number }[] = [];
    for (const epoch of [...wanted].sort((a, b) => a - b)) {
      const run = runs.at(-1);
      if (run !== undefined && epoch - run.last <= MAX_GAP) run.last = epoch;
      else runs.push({ first: epoch, last: epoch });
    }
    const events: RecordedEvent[] = [];
    for (let from = 0; from < runs.length; from += MAX_AT_ONCE) {
      const reads = runs
        .slice(from, from + MAX_AT_ONCE)
        .map(({ first, last }) => this.log.read(STREAM, first - 1, last - first + 1));
      events.push(...(await Promise.all(reads)).flat().filter(({ revision }) => wanted.has(revision)));
    }
    return events;
  }
}

/** What has been read, and found sound, of the stream. */
class Known {
  /** Up to here. */
  epoch = 0;
  /** What can be read of the events from the first on that is not sound; looked at anew each time. */
  unsound: readonly Read[] = [];
  readonly byTarget = new Map<string, Span[]>();
  readonly bySubject = new Map<string, Span[]>();
  readonly byTrace = new Map<string, number[]>();
  private readonly byId = new Map<string, Span>();

  /** How many of these events could have happened after what is known, and are known now. */
  take(events: readonly RecordedEvent[]): number {
    for (const [index, event] of events.entries()) if (!this.takeOne(event)) return index;
    return events.length;
  }

  private takeOne(recorded: RecordedEvent): boolean {
    const { type, data, time, traceId } = parsed(recorded);
    const moment = momentOf(recorded, time);
    const known = this.byId.get(data.id);
    if (type === 'DirectiveIssued') {
      if (known !== undefined) return false;
      const { id, target, cause } = data;
      const span: Span = { directive: { id, target, ...(cause === undefined ? {} : { cause }) }, issued: moment };
      this.byId.set(id, span);
      addTo(this.byTarget, targetKey(target), span);
      addTo(this.bySubject, subjectOf(target), span);
    } else {
      if (known === undefined || known.lifted !== undefined) return false;
      known.lifted = moment;
    }
    if (traceId !== undefined) addTo(this.byTrace, traceId, moment.epoch);
    this.epoch = moment.epoch;
    return true;
  }
}

/** What a directive is about: one against a version or an operation is about the capability. */
export function subjectOf(target: Target): string {
  return 'capability' in target ? targetKey({ type: 'capability', capability: target.capability }) : targetKey(target);
}

const parsed = ({ json }: RecordedEvent): Event & DirectiveEvent => parseEvent(json) as Event & DirectiveEvent;

const momentOf = ({ revision, position }: RecordedEvent, time: Instant): Moment => ({
  epoch: revision,
  position,
  time,
});

interface Read {
  readonly recorded: RecordedEvent;
  readonly moment: Moment;
  readonly id: string;
  /** Of an issue. */
  readonly subject?: string;
  readonly traceId?: string | undefined;
}

/** Anything may stand in an event that was damaged. */
function readable(recorded: RecordedEvent): readonly Read[] {
  try {
    const { type, data, time, traceId } = parsed(recorded);
    const issue = type === 'DirectiveIssued' ? { subject: subjectOf(data.target) } : {};
    return [{ recorded, moment: momentOf(recorded, time), id: data.id, ...issue, traceId }];
  } catch {
    return [];
  }
}

function addTo<Item>(lists: Map<string, Item[]>, key: string, item: Item): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
