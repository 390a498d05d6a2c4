import { setImmediate as nextTurn } from 'node:timers/promises';
import { restCapability, wakeCapability } from '../capability/resting.js';
import type { CapabilityState, MaybeCapability } from '../capability/state.js';
import type { DirectivesState } from '../directive/decider.js';
import type { Event } from '../event-log/event.js';
import type { EventLog, RecordedEvent, StreamWrite, Subscription } from '../event-log/port.js';
import { toMs } from '../kernel/time.js';
import type { PolicySetState } from '../policy/decider.js';
import type { PrincipalState } from '../principal/decider.js';
import type { MaybePublisher, PublisherState } from '../publisher/decider.js';
import { categoriesWith, families, foldedFamilyOf, type EventsOf } from '../streams/catalogue.js';
import type { FoldedFamily } from '../streams/family.js';
import { PositionGate } from './position-gate.js';
import { RestingStates, type Held, type Resting } from './resting-states.js';

/** The categories that the view holds in memory: decisions rest on all of them. */
const CATEGORIES = categoriesWith('control');
const PAGE = 256;
const CAPABILITY_AT_REST: Resting<unknown> = {
  rest: (state) => restCapability(state as CapabilityState),
  wake: wakeCapability,
};
/** Capabilities that are listed before other work has its turn. */
const SLICE = 256;

/** An event that the view has just folded in. */
export interface Applied {
  readonly stream: string;
  readonly event: Event;
  /** At or after the event. */
  readonly position: bigint;
  /** This process wrote it, and it became durable just now. Other events were read from the log some time later. */
  readonly isOwn: boolean;
}

type SealedOrRecorded = Pick<RecordedEvent, 'stream' | 'revision' | 'json'>;

/**
 * The control streams, folded in memory and kept in step with the log: by a subscription, and at once by each commit of
 * this process. A state that it answers is the live one: read it before the next await, and never change it.
 */
export class ControlView {
  private readonly streams = new Map<string, Held<unknown>>();
  /** There may be 100,000 of them. */
  private readonly capabilities: RestingStates<unknown>;
  private readonly byToken = new Map<string, string>();
  private subscription: Subscription | undefined;
  private readonly gate = new PositionGate();
  private seen = 0n;
  private lastEventMs = 0;
  private readonly listeners = new Set<(applied: Applied) => void>();

  /** `maxAwake`: capabilities that are kept as objects. The others rest as text until they are needed. */
  constructor(
    private readonly log: EventLog,
    maxAwake?: number,
  ) {
    this.capabilities = new RestingStates(CAPABILITY_AT_REST, maxAwake);
  }

  /** Loads all control events, then follows the log. Throws `LogUnavailable`, `UnreadableEvent`. */
  async start(): Promise<void> {
    let after = 0n;
    const page = () => this.log.readAll({ after, categories: CATEGORIES, limit: PAGE });
    for (let events = await page(); events.length > 0;) {
      after = events.at(-1)?.position ?? after;
      // The next page is read while this one is folded.
      const next = page();
      next.catch(() => undefined);
      for (const event of events) this.apply(event, event.position);
      this.capabilities.settle();
      events = await next;
    }
    const started = Promise.withResolvers<void>();
    this.subscription = this.log.subscribe(
      { after, categories: CATEGORIES },
      {
        onEvents: (events) => events.forEach((event) => this.apply(event, event.position)),
        onCaughtUp: (position) => {
          this.gate.advance(position);
          started.resolve();
        },
      },
    );
    await started.promise;
  }

  async stop(): Promise<void> {
    await this.subscription?.close();
  }

  /** Calls the listener with each event as soon as it is folded in; it must not throw. Answers a function that ends this. */
  listen(listener: (applied: Applied) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Folds an event in, once: events that the view already has are passed over. */
  private apply(sealed: SealedOrRecorded, position: bigint, isOwn = false): void {
    const family = controlFamilyOf(sealed.stream);
    if (family === undefined) return;
    const held = this.held(sealed.stream, family);
    if (sealed.revision <= held.revision) return;
    if (sealed.revision !== held.revision + 1) throw new Error(`a gap in ${sealed.stream} before ${sealed.revision}`);
    const event = family.read(sealed.json);
    const before = held.state;
    held.state = family.evolve(before, event);
    held.revision = sealed.revision;
    if (families.capability.has(sealed.stream)) this.capabilities.set(sealed.stream, held);
    else this.streams.set(sealed.stream, held);
    this.lastEventMs = Math.max(this.lastEventMs, toMs(event.time));
    if (families.principal.owns(event)) this.indexToken(event, before as PrincipalState);
    for (const tell of this.listeners) tell({ stream: sealed.stream, event, position, isOwn });
  }

  /** Folds in a commit of this process, without waiting for the subscription. */
  applyCommitted(writes: readonly StreamWrite[], position: bigint): void {
    if (position > this.seen) this.seen = position;
    for (const { events } of writes) for (const event of events) this.apply(event, position, true);
  }

  /** Reads the events of these streams that the view does not have yet. Streams of other roles are passed over. */
  async refresh(streams: Iterable<string>): Promise<void> {
    for (const stream of streams) {
      const family = controlFamilyOf(stream);
      if (family === undefined) continue;
      const { revision } = this.held(stream, family);
      for (const event of await this.log.read(stream, revision)) this.apply(event, event.position);
    }
  }

  capability(id: string): Held<MaybeCapability> {
    return this.of(families.capability, id);
  }

  /**
   * Capabilities in order of their ids, from `id` on. Decisions have their turn in between, so a long list delays none.
   * Read each state before the next one is requested.
   */
  async *capabilitiesFrom(id = ''): AsyncGenerator<CapabilityState> {
    const first = families.capability.stream(id);
    const streams = this.capabilities.streams().filter((stream) => stream >= first);
    for (const [index, stream] of streams.sort().entries()) {
      if (index % SLICE === SLICE - 1) await nextTurn();
      const state = this.capabilities.peek(stream)?.state as MaybeCapability;
      if (state !== undefined) yield state;
    }
  }

  policySet(set: string): Held<PolicySetState> {
    return this.of(families.policy, set);
  }

  publisher(id: string): Held<MaybePublisher> {
    return this.of(families.publisher, id);
  }

  /** In order of their ids. */
  publishers(): PublisherState[] {
    return [...this.streams]
      .filter(([stream]) => families.publisher.has(stream))
      .map(([, held]) => held.state as PublisherState)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  principal(name: string): Held<PrincipalState> {
    return this.of(families.principal, name);
  }

  principals(): PrincipalState[] {
    return [...this.streams]
      .filter(([stream]) => families.principal.has(stream))
      .map(([, held]) => held.state as PrincipalState);
  }

  directives(): Held<DirectivesState> {
    return this.of(families.directives);
  }

  /** The principal that a token belongs to now; `tokenDigest` is its SHA-256. */
  principalByToken(tokenDigest: string): NonNullable<PrincipalState> | undefined {
    const name = this.byToken.get(tokenDigest);
    const state = name === undefined ? undefined : this.principal(name).state;
    return state === undefined || state.removed ? undefined : state;
  }

  /** Time of the latest control event. A decision is never dated before the events that it rests on. */
  get latestMs(): number {
    return this.lastEventMs;
  }

  /** At or after everything that the view shows. */
  get position(): bigint {
    return this.seen > this.gate.position ? this.seen : this.gate.position;
  }

  /** Whether the view reaches a position within `timeoutMs`. */
  waitFor(position: bigint, timeoutMs: number): Promise<boolean> {
    return this.gate.waitFor(position, timeoutMs);
  }

  private of<State, Events extends Event, Id extends readonly string[]>(
    family: FoldedFamily<State, Events, Id>,
    ...id: Id
  ): Held<State> {
    return this.held(family.stream(...id), family) as Held<State>;
  }

  /** The held state, or a fresh one that is not kept: an unregistered name must cost no memory. */
  private held(stream: string, family: Pick<FoldedFamily, 'initialState'>): Held<unknown> {
    const held = families.capability.has(stream) ? this.capabilities.get(stream) : this.streams.get(stream);
    return held ?? { revision: 0, state: family.initialState() };
  }

  private indexToken({ type, data }: EventsOf<'principal'>, before: PrincipalState): void {
    if (before !== undefined) this.byToken.delete(before.tokenDigest);
    if (type !== 'PrincipalRemoved') this.byToken.set(data.tokenDigest, data.name);
  }
}

function controlFamilyOf(stream: string): FoldedFamily | undefined {
  const family = foldedFamilyOf(stream);
  return family?.role === 'control' ? family : undefined;
}
