import type { MaybeCapability } from '../capability/state.js';
import type { ConsultedView } from '../decision-point/basis.js';
import type { Held } from '../control/resting-states.js';
import type { Basis } from '../decision/snapshot.js';
import type { StandingDirectives } from '../directive/decider.js';
import type { LogReading, RecordedEvent } from '../event-log/port.js';
import type { PolicySetState } from '../policy/decider.js';
import type { PrincipalState } from '../principal/decider.js';
import type { MaybePublisher } from '../publisher/decider.js';
import { families, foldedFamilyOf } from '../streams/catalogue.js';
import type { FoldedFamily } from '../streams/family.js';
import { ApprovalHistories } from './approval-histories.js';
import type { ApprovalHistory } from './approval-history.js';
import { DirectiveHistory, type ShownDirectives } from './directive-history.js';
import type { Moment } from './directive-timeline.js';
import { Damage, soundPrefix } from './soundness.js';

/** One stream with its state at one revision. The state moves forward; to go back it starts over. */
interface Folded {
  readonly family: FoldedFamily;
  readonly events: readonly RecordedEvent[];
  /** The number of events, from the first on, that are whole and in their place. */
  readonly sound: number;
  revision: number;
  state: unknown;
}

/** Streams that are kept at once. The least recently used is dropped, and read again when it is next needed. */
const MAX_STREAMS = 256;
/** Streams that are read together. */
const MAX_AT_ONCE = 16;

/**
 * States as of recorded revisions, for one request. A state is live until the next state of the same stream is requested:
 * use a History from one chain of awaits only. Request states in order of position, because going back folds the stream
 * again. Events that were appended after the first read of a stream are not visible.
 */
export class History {
  /** In order of use, the least recently used first. */
  private readonly streams = new Map<string, Folded>();
  private readonly shown: ShownDirectives = new Map();
  private readonly approvalsOf = new Map<string, Promise<ApprovalHistory>>();
  /** Loads the directives once: later ones concern other requests. */
  private knowsDirectives: Promise<void> | undefined;
  /** The view that was requested last, until a state is moved. */
  private latest: { readonly name: string; readonly view: ConsultedView } | undefined;

  constructor(
    private readonly log: Pick<LogReading, 'read'>,
    private readonly directives = new DirectiveHistory(log),
    private readonly allApprovals = new ApprovalHistories(log),
  ) {}

  /** Keeps a stream that was read from its first event on. If too many streams are held, it is read again. */
  keep(stream: string, events: readonly RecordedEvent[]): void {
    this.hold(stream, foldedOf(stream, events));
  }

  /** All events of a stream. */
  async events(stream: string): Promise<readonly RecordedEvent[]> {
    return (await this.folded(stream)).events;
  }

  /** The approvals of a task at every revision of its calls. A request asks for them once. */
  approvals(taskId: string): Promise<ApprovalHistory> {
    const known = this.approvalsOf.get(taskId);
    if (known !== undefined) return known;
    if (this.approvalsOf.size >= MAX_STREAMS) this.approvalsOf.clear();
    const read = this.allApprovals.of(taskId);
    this.approvalsOf.set(taskId, read);
    return read;
  }

  /** A stream's state at a revision. Throws `Damage` if the log does not reach it or its events are not whole. */
  async at<State>(stream: string, revision: number): Promise<Held<State>> {
    const folded = await this.folded(stream);
    if (revision > folded.sound) throw new Damage(`${stream} cannot be read up to revision ${revision}`);
    if (revision !== folded.revision) this.latest = undefined;
    if (revision < folded.revision) Object.assign(folded, { revision: 0, state: folded.family.initialState() });
    for (const { json } of folded.events.slice(folded.revision, revision)) {
      folded.state = evolved(folded, json);
      folded.revision += 1;
    }
    return { revision, state: folded.state as State };
  }

  /** A stream's state after its last event that is whole. Undefined if it has none. */
  async now<State>(stream: string): Promise<State | undefined> {
    const { sound } = await this.folded(stream);
    return sound === 0 ? undefined : (await this.at<State>(stream, sound)).state;
  }

  /** The control streams of a basis. Asked for a stream that the basis lacks, it throws `Damage`. */
  async view(basis: Basis): Promise<ConsultedView> {
    const consulted = Object.entries(basis).filter(([stream]) => !families.task.has(stream));
    // The calls of a task mostly have the same basis.
    const name = JSON.stringify(consulted);
    if (this.latest?.name !== name) this.latest = { name, view: await this.viewOf(consulted) };
    return this.latest.view;
  }

  private async viewOf(consulted: readonly [string, number][]): Promise<ConsultedView> {
    const held = new Map<string, Held<unknown>>();
    await this.load(consulted.map(([stream]) => stream));
    for (const [stream, revision] of consulted) {
      const isDirectives = families.directives.has(stream);
      held.set(
        stream,
        isDirectives ? { revision, state: this.directives.asOf(revision) } : await this.at(stream, revision),
      );
    }
    const of = <State>(stream: string): Held<State> => {
      const state = held.get(stream);
      if (state === undefined) throw new Damage(`a basis without ${stream}`);
      return state as Held<State>;
    };
    return {
      capability: (id) => of<MaybeCapability>(families.capability.stream(id)),
      policySet: (set) => of<PolicySetState>(families.policy.stream(set)),
      principal: (name) => of<PrincipalState>(families.principal.stream(name)),
      publisher: (id) => of<MaybePublisher>(families.publisher.stream(id)),
      directives: () => of<StandingDirectives>(families.directives.stream()),
    };
  }

  private async folded(stream: string): Promise<Folded> {
    return this.hold(stream, this.streams.get(stream) ?? (await this.readFolded(stream)));
  }

  private async readFolded(stream: string): Promise<Folded> {
    if (foldedHere(stream) === undefined) throw new Damage('a basis names a stream that no decision may use');
    return foldedOf(stream, await this.log.read(stream));
  }

  /** The wanted events of directives about these subjects. None of them is read twice. */
  async directivesAbout(subjects: ReadonlySet<string>, wanted: (at: Moment) => boolean): Promise<RecordedEvent[]> {
    await this.knowDirectives();
    return this.directives.about(subjects, wanted, this.shown);
  }

  /** Reads the missing ones of the first `MAX_AT_ONCE` streams, and the directives, concurrently. */
  async load(streams: readonly string[]): Promise<void> {
    const missing = streams
      .filter((stream) => !this.streams.has(stream) && foldedHere(stream) !== undefined)
      .slice(0, MAX_AT_ONCE);
    const [read] = await Promise.all([
      Promise.all(missing.map((stream) => this.log.read(stream))),
      streams.length > 0 ? this.knowDirectives() : undefined,
    ]);
    for (const [index, stream] of missing.entries()) this.hold(stream, foldedOf(stream, read[index] ?? []));
  }

  private knowDirectives(): Promise<void> {
    return (this.knowsDirectives ??= this.directives.refresh());
  }

  private hold(stream: string, folded: Folded): Folded {
    this.streams.delete(stream);
    this.streams.set(stream, folded);
    if (this.streams.size > MAX_STREAMS) this.streams.delete(this.streams.keys().next().value as string);
    return folded;
  }
}

/** The family of a stream that a basis may name. Not the directives: requests share them (`directive-history.ts`). */
function foldedHere(stream: string): FoldedFamily | undefined {
  const family = foldedFamilyOf(stream);
  const isBasis = (family?.role === 'control' || family?.role === 'task') && !families.directives.has(stream);
  return isBasis ? family : undefined;
}

/** Throws `Damage` for a stream that no basis may name. */
function foldedOf(stream: string, events: readonly RecordedEvent[]): Folded {
  const family = foldedHere(stream);
  if (family === undefined) throw new Damage('a basis names a stream that no decision may use');
  return { family, events, sound: soundPrefix(stream, events), revision: 0, state: family.initialState() };
}

function evolved({ family, state }: Folded, json: string): unknown {
  try {
    return family.evolve(state, family.read(json));
  } catch {
    throw new Damage('the history is impossible');
  }
}
