import { capabilityDecider } from '../capability/decider.js';
import type { MaybeCapability } from '../capability/state.js';
import type { ConsultedView } from '../decision-point/basis.js';
import type { Held } from '../control/resting-states.js';
import type { Basis } from '../decision/snapshot.js';
import type { StandingDirectives } from '../directive/decider.js';
import { categoryOf, parseEvent } from '../event-log/event.js';
import type { EventLog, RecordedEvent } from '../event-log/port.js';
import { ownValue } from '../kernel/canonical-json.js';
import { policyDecider, type PolicySetState } from '../policy/decider.js';
import { principalDecider, type PrincipalState } from '../principal/decider.js';
import { taskDecider } from '../task/decider.js';
import { DirectiveHistory, type ShownDirectives } from './directive-history.js';
import type { Moment } from './known-directives.js';
import { Damage, soundPrefix } from './soundness.js';

interface Folder {
  initialState(): unknown;
  evolve(state: unknown, event: unknown): unknown;
}

/** Whatever a basis may name, but for the directives: they are not folded for each request. */
const FOLDERS = {
  capability: capabilityDecider,
  policy: policyDecider,
  principal: principalDecider,
  task: taskDecider,
} as unknown as Readonly<Record<string, Folder>>;

/** One stream with its state at one revision; the state moves forward and starts over where it has to go back. */
interface Folded {
  readonly folder: Folder;
  readonly events: readonly RecordedEvent[];
  /** How many events from the start on are whole and in their place. */
  readonly sound: number;
  revision: number;
  state: unknown;
}

/** Streams that are kept at once; the longest unused is read again when it is next needed. */
const MAX_STREAMS = 256;
/** Streams that are read together. */
const MAX_AT_ONCE = 16;

/**
 * States as of recorded revisions, for one request. A state that is handed out is live until the next one of the same
 * stream is asked for: use one History from one chain of awaits alone, and ask in order of position, because going back
 * folds the stream anew. What is appended after a stream was first read is not seen.
 */
export class History {
  /** In order of use, the longest unused first. */
  private readonly streams = new Map<string, Folded>();
  private readonly shown: ShownDirectives = new Map();
  /** What was appended to them later concerns another request. */
  private knowsDirectives: Promise<void> | undefined;
  /** The view that was asked for last, until a state is moved. */
  private latest: { readonly name: string; readonly view: ConsultedView } | undefined;

  constructor(
    private readonly log: EventLog,
    private readonly directives = new DirectiveHistory(log),
  ) {}

  /** Takes over a stream that has been read from its start; where too many are held, it is read again. */
  keep(stream: string, events: readonly RecordedEvent[]): void {
    this.hold(stream, foldedOf(stream, events));
  }

  /** All events of a stream. */
  async events(stream: string): Promise<readonly RecordedEvent[]> {
    return (await this.folded(stream)).events;
  }

  /** A stream's state at a revision. Throws `Damage` where the log does not reach it or its events are not whole. */
  async at<State>(stream: string, revision: number): Promise<Held<State>> {
    const folded = await this.folded(stream);
    if (revision > folded.sound) throw new Damage(`${stream} cannot be read up to revision ${revision}`);
    if (revision !== folded.revision) this.latest = undefined;
    if (revision < folded.revision) Object.assign(folded, { revision: 0, state: folded.folder.initialState() });
    for (const { json } of folded.events.slice(folded.revision, revision)) {
      folded.state = evolved(folded, json);
      folded.revision += 1;
    }
    return { revision, state: folded.state as State };
  }

  /** The control streams of a basis. Asked for a stream that the basis lacks, it throws `Damage`. */
  async view(basis: Basis): Promise<ConsultedView> {
    const consulted = Object.entries(basis).filter(([stream]) => categoryOf(stream) !== 'task');
    // The calls of a task mostly rest on the same.
    const name = JSON.stringify(consulted);
    if (this.latest?.name !== name) this.latest = { name, view: await this.viewOf(consulted) };
    return this.latest.view;
  }

  private async viewOf(consulted: readonly [string, number][]): Promise<ConsultedView> {
    const held = new Map<string, Held<unknown>>();
    await this.load(consulted.map(([stream]) => stream));
    for (const [stream, revision] of consulted) {
      const isDirectives = stream === 'directives';
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
      capability: (id) => of<MaybeCapability>(`capability-${id}`),
      policySet: (set) => of<PolicySetState>(`policy-${set}`),
      principal: (name) => of<PrincipalState>(`principal-${name}`),
      directives: () => of<StandingDirectives>('directives'),
    };
  }

  private async folded(stream: string): Promise<Folded> {
    if (!isFolded(stream)) throw new Damage('a basis with a stream that nothing can rest on');
    return this.hold(stream, this.streams.get(stream) ?? foldedOf(stream, await this.log.read(stream)));
  }

  /** The events of directives about these subjects, as far as they are wanted; none of them is read twice. */
  async directivesAbout(subjects: ReadonlySet<string>, wanted: (at: Moment) => boolean): Promise<RecordedEvent[]> {
    await this.knowDirectives();
    return this.directives.about(subjects, wanted, this.shown);
  }

  /** Reads what is missing of the first of these streams, and the directives, at once rather than one after the other. */
  async load(streams: readonly string[]): Promise<void> {
    const missing = streams.filter((stream) => !this.streams.has(stream) && isFolded(stream)).slice(0, MAX_AT_ONCE);
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

const isFolded = (stream: string): boolean => Object.hasOwn(FOLDERS, categoryOf(stream));

function foldedOf(stream: string, events: readonly RecordedEvent[]): Folded {
  const folder = ownValue(FOLDERS, categoryOf(stream)) as Folder;
  return { folder, events, sound: soundPrefix(stream, events), revision: 0, state: folder.initialState() };
}

function evolved({ folder, state }: Folded, json: string): unknown {
  try {
    return folder.evolve(state, parseEvent(json));
  } catch {
    throw new Damage('a history that cannot have happened');
  }
}
