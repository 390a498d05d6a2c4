import type { DirectiveState, StandingDirectives } from '../directive/decider.js';
import { targetKey, type Target } from '../directive/target.js';
import type { RecordedEvent } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import type { Instant } from '../kernel/time.js';
import { families } from '../streams/catalogue.js';
import { Damage, isWhole } from './soundness.js';

/** The place of an event in the stream; its revision is the epoch. */
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

/** An event of the stream, as far as the timeline needs it. */
interface Said {
  readonly recorded: RecordedEvent;
  readonly moment: Moment;
  /** Undefined if the event is damaged: it may be about any directive. */
  readonly id: string | undefined;
  readonly traceId: string | undefined;
  /** Absent if the event lifts a directive. */
  readonly issue?: Pick<Span, 'directive'> & { readonly key: string; readonly subject: string };
}

/** The directives up to one epoch, and the unsound events after it. */
export class DirectiveTimeline {
  private soundUpTo = 0;
  private unsound: readonly Said[] = [];
  private readonly byId = new Map<string, Span>();
  private readonly byTarget = new Map<string, Span[]>();
  private readonly bySubject = new Map<string, Span[]>();
  private readonly byTrace = new Map<string, number[]>();

  get epoch(): number {
    return this.soundUpTo;
  }

  /** Takes in the events after its epoch, up to the first that is impossible. Returns how many it took. */
  take(events: readonly RecordedEvent[]): number {
    let taken = 0;
    for (const event of events) {
      const said = saidBy(event);
      if (said?.id === undefined || !this.takeOne({ ...said, id: said.id })) break;
      taken += 1;
    }
    this.unsound = this.unsound.filter(({ moment }) => moment.epoch > this.epoch);
    return taken;
  }

  /** Replaces the unsound events after the epoch. No state is derived from them, but they can be shown. */
  takeUnsound(events: readonly RecordedEvent[]): void {
    this.unsound = events.map(saidBy).filter((said) => said !== undefined);
  }

  /** The directives in force at an epoch. Throws `Damage` for an epoch after the last sound one. */
  asOf(epoch: number): StandingDirectives {
    if (epoch > this.epoch) throw new Damage(`directives cannot be read up to revision ${epoch}`);
    const stood = ({ issued, lifted }: Span): boolean =>
      issued.epoch <= epoch && (lifted === undefined || lifted.epoch > epoch);
    const asked = new Map<string, Span['directive'][]>();
    const get = (key: string): Span['directive'][] => {
      const known = asked.get(key);
      if (known !== undefined) return known;
      const found = (this.byTarget.get(key) ?? []).filter(stood).map(({ directive }) => directive);
      asked.set(key, found);
      return found;
    };
    return { epoch, active: { get } };
  }

  /** The wanted events of all directives about these subjects, and of their lifting. */
  about(subjects: ReadonlySet<string>, wanted: (at: Moment) => boolean): FoundEvents {
    const epochs: number[] = [];
    const ids = new Set<string>();
    for (const subject of subjects) {
      for (const { directive, issued, lifted } of this.bySubject.get(subject) ?? []) {
        if (!wanted(issued)) continue;
        ids.add(directive.id);
        epochs.push(issued.epoch);
        if (lifted !== undefined && wanted(lifted)) epochs.push(lifted.epoch);
      }
    }
    const events: RecordedEvent[] = [];
    for (const { recorded, id, moment, issue } of this.unsound) {
      if (!wanted(moment)) continue;
      if (id !== undefined && issue !== undefined && subjects.has(issue.subject)) ids.add(id);
      if (id === undefined || ids.has(id)) events.push(recorded);
    }
    return { epochs, unsound: events };
  }

  /** The target of a directive; undefined if no sound event issued it. */
  targetOf(id: string): Target | undefined {
    return this.byId.get(id)?.directive.target;
  }

  /** The events that belong to a trace. */
  ofTrace(traceId: string): FoundEvents {
    const unsound = this.unsound.filter((said) => said.traceId === traceId);
    return { epochs: this.byTrace.get(traceId) ?? [], unsound: unsound.map(({ recorded }) => recorded) };
  }

  private takeOne({ id, moment, traceId, issue }: Said & { readonly id: string }): boolean {
    const known = this.byId.get(id);
    if (issue !== undefined) {
      if (known !== undefined) return false;
      const span: Span = { directive: issue.directive, issued: moment };
      this.byId.set(id, span);
      addTo(this.byTarget, issue.key, span);
      addTo(this.bySubject, issue.subject, span);
    } else {
      if (known === undefined || known.lifted !== undefined) return false;
      known.lifted = moment;
    }
    if (traceId !== undefined) addTo(this.byTrace, traceId, moment.epoch);
    this.soundUpTo = moment.epoch;
    return true;
  }
}

/** Epochs of events to be read from the log, and the unsound events after them. */
export interface FoundEvents {
  readonly epochs: readonly number[];
  readonly unsound: readonly RecordedEvent[];
}

/** The subject of a directive. A directive against a version or an operation has its capability as subject. */
export function subjectOf(target: Target): string {
  return 'capability' in target ? targetKey({ type: 'capability', capability: target.capability }) : targetKey(target);
}

/** Undefined if the event is not about a directive. A forged event may hold anything, and a damaged one is not read. */
function saidBy(recorded: RecordedEvent): Said | undefined {
  if (!isWhole(recorded)) {
    const { revision: epoch, position } = recorded;
    // It has no time: its position decides.
    return { recorded, moment: { epoch, position, time: '' }, id: undefined, traceId: undefined };
  }
  try {
    const { type, data, time, traceId } = families.directives.read(recorded.json);
    const { revision: epoch, position } = recorded;
    const said = { recorded, moment: { epoch, position, time }, id: data.id, traceId };
    if (type !== 'DirectiveIssued') return said;
    const { id, target, cause } = data;
    const directive = defined({ id, target, cause });
    return { ...said, issue: { directive, key: targetKey(target), subject: subjectOf(target) } };
  } catch {
    return undefined;
  }
}

function addTo<Item>(lists: Map<string, Item[]>, key: string, item: Item): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
