import { setImmediate as nextTurn } from 'node:timers/promises';
import { capabilityDecider } from '../capability/decider.js';
import { restCapability, wakeCapability } from '../capability/resting.js';
import type { CapabilityState, MaybeCapability } from '../capability/state.js';
import { directiveDecider, type DirectivesState } from '../directive/decider.js';
import { categoryOf, parseEvent, type Event } from '../event-log/event.js';
import type { EventLog, RecordedEvent, StreamWrite, Subscription } from '../event-log/port.js';
import type { Decider } from '../kernel/decider.js';
import { toMs } from '../kernel/time.js';
import { policyDecider, type PolicySetState } from '../policy/decider.js';
import { principalDecider, type PrincipalState } from '../principal/decider.js';
import { PositionGate } from './position-gate.js';
import { RestingStates, type Held, type Resting } from './resting-states.js';

type Folder = Pick<Decider<unknown, never, unknown, never>, 'initialState' | 'evolve'>;

/** The streams that decisions rest on, by category. All of them are held in memory; tasks and calls are not. */
const DECIDERS: ReadonlyMap<string, Folder> = new Map<string, unknown>([
  ['capability', capabilityDecider],
  ['directives', directiveDecider],
  ['policy', policyDecider],
  ['principal', principalDecider],
]) as Map<string, Folder>;

export const CONTROL_CATEGORIES: readonly string[] = [...DECIDERS.keys()];
const PAGE = 256;
const CAPABILITY = 'capability-';
const CAPABILITY_AT_REST: Resting<unknown> = {
  rest: (state) => restCapability(state as CapabilityState),
  wake: wakeCapability,
};
/** Capabilities that are looked at before others have their turn. */
const SLICE = 256;

/** An event that the view has just folded in. */
export interface Applied {
  readonly stream: string;
  readonly event: Event;
  /** At or after the event. */
  readonly position: bigint;
  /** It was written here, and became durable just now; others were read from the log some time after. */
  readonly isOwn: boolean;
}

type SealedOrRecorded = Pick<RecordedEvent, 'stream' | 'revision' | 'json'>;

/**
 * The control streams folded in memory, in step with the log: fed by a subscription, and by each commit of this process
 * at once. A state that is handed out is the live one: read it before the next await, and never change it.
 */
export class ControlView {
  private readonly streams = new Map<string, Held<unknown>>();
  /** Of capabilities there may be very many. */
  private readonly capabilities: RestingStates<unknown>;
  private readonly byToken = new Map<string, string>();
  private subscription: Subscription | undefined;
  private readonly gate = new PositionGate();
  private seen = 0n;
  private lastEventMs = 0;
  private readonly listeners = new Set<(applied: Applied) => void>();

  /** `maxAwake`: capabilities that are kept as objects; the others rest as text until they are asked for. */
  constructor(
    private readonly log: EventLog,
    maxAwake?: number,
  ) {
    this.capabilities = new RestingStates(CAPABILITY_AT_REST, maxAwake);
  }

  /** Loads what is there, then follows the log. */
  async start(): Promise<void> {
    let after = 0n;
    const page = () => this.log.readAll({ after, categories: CONTROL_CATEGORIES, limit: PAGE });
    for (let events = await page(); events.length > 0;) {
      after = events.at(-1)?.position ?? after;
      // Read while this one is folded.
      const next = page();
      next.catch(() => undefined);
      for (const event of events) this.apply(event, event.position);
      this.capabilities.settle();
      events = await next;
    }
    const started = Promise.withResolvers<void>();
    this.subscription = this.log.subscribe(
      { after, categories: CONTROL_CATEGORIES },
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

  /** Tells each event at once when it has been folded in; a listener must not throw. Answers how to stop. */
  listen(listener: (applied: Applied) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Folds an event in, once: what the view has already is passed over. */
  private apply(sealed: SealedOrRecorded, position: bigint, isOwn = false): void {
    const held = this.held(sealed.stream);
    if (held === undefined || sealed.revision <= held.revision) return;
    if (sealed.revision !== held.revision + 1) throw new Error(`a gap in ${sealed.stream} before ${sealed.revision}`);
    const event = parseEvent(sealed.json);
    const before = held.state;
    held.state = folderOf(sealed.stream)?.evolve(before, event);
    held.revision = sealed.revision;
    if (sealed.stream.startsWith(CAPABILITY)) this.capabilities.set(sealed.stream, held);
    else this.streams.set(sealed.stream, held);
    this.lastEventMs = Math.max(this.lastEventMs, toMs(event.time));
    if (event.type.startsWith('Principal') || event.type === 'TokenRotated')
      this.indexToken(event, before as PrincipalState);
    for (const tell of this.listeners) tell({ stream: sealed.stream, event, position, isOwn });
  }

  /** Folds a commit of this process in, without waiting for the subscription to bring it. */
  applyCommitted(writes: readonly StreamWrite[], position: bigint): void {
    if (position > this.seen) this.seen = position;
    for (const { events } of writes) for (const event of events) this.apply(event, position, true);
  }

  /** Reads the named streams again, from where the view stands; other than control streams are passed over. */
  async refresh(streams: Iterable<string>): Promise<void> {
    for (const stream of streams) {
      const held = this.held(stream);
      if (held === undefined) continue;
      for (const event of await this.log.read(stream, held.revision)) this.apply(event, event.position);
    }
  }

  capability(id: string): Held<MaybeCapability> {
    return this.of(`capability-${id}`);
  }

  /**
   * Capabilities in order of their ids, from one on. Others have their turn in between, so a list of many holds up no
   * decision; each state is to be read before the next one is asked for.
   */
  async *capabilitiesFrom(id = ''): AsyncGenerator<CapabilityState> {
    const first = CAPABILITY + id;
    const streams = this.capabilities.streams().filter((stream) => stream >= first);
    for (const [index, stream] of streams.sort().entries()) {
      if (index % SLICE === SLICE - 1) await nextTurn();
      const state = this.capabilities.peek(stream)?.state as MaybeCapability;
      if (state !== undefined) yield state;
    }
  }

  policySet(set: string): Held<PolicySetState> {
    return this.of(`policy-${set}`);
  }

  principal(name: string): Held<PrincipalState> {
    return this.of(`principal-${name}`);
  }

  principals(): PrincipalState[] {
    return [...this.streams]
      .filter(([stream]) => categoryOf(stream) === 'principal')
      .map(([, held]) => held.state as PrincipalState);
  }

  directives(): Held<DirectivesState> {
    return this.of('directives');
  }

  /** Who a token belongs to now; `tokenDigest` is its SHA-256. */
  principalByToken(tokenDigest: string): NonNullable<PrincipalState> | undefined {
    const name = this.byToken.get(tokenDigest);
    const state = name === undefined ? undefined : this.principal(name).state;
    return state === undefined || state.removed ? undefined : state;
  }

  /** Time of the latest control event: a decision is never dated before what it rests on. */
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

  private of<State>(stream: string): Held<State> {
    return this.held(stream) as Held<State>;
  }

  /** The held state, or a fresh one that is not kept: a name that nobody registered must cost no memory. */
  private held(stream: string): Held<unknown> | undefined {
    const held = stream.startsWith(CAPABILITY) ? this.capabilities.get(stream) : this.streams.get(stream);
    if (held !== undefined) return held;
    const folder = folderOf(stream);
    return folder === undefined ? undefined : { revision: 0, state: folder.initialState() };
  }

  private indexToken(event: Event, before: PrincipalState): void {
    const { name, tokenDigest } = event.data as { name: string; tokenDigest?: string };
    if (before !== undefined) this.byToken.delete(before.tokenDigest);
    if (tokenDigest !== undefined) this.byToken.set(tokenDigest, name);
  }
}

function folderOf(stream: string): Folder | undefined {
  return DECIDERS.get(categoryOf(stream));
}
