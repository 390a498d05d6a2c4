import { setImmediate as nextTurn } from 'node:timers/promises';
import { activeDirectives, stateRoot, type DirectivesState, type DirectiveState } from '#libs/directive/decider.js';
import { toInstant, toMs, type Instant } from '#libs/kernel/time.js';
import { directiveView, signBeat, type Beat, type FeedKey } from './beat.js';

/** The directives as this process knows them, and the one log that knows better. */
export interface DirectivesKnown {
  directives(): { readonly state: DirectivesState; readonly revision: number };
  /** Reads the named streams again from where the view stands. */
  refresh(streams: Iterable<string>): Promise<void>;
  readonly position: bigint;
}

/** Where a directive stands in its stream: what a beat about it says. */
export interface Change {
  readonly directive: DirectiveState;
  readonly epoch: number;
  /** After the change. */
  readonly stateRoot: Beat['stateRoot'];
  readonly position: bigint;
  /** When the next change was recorded, where that is known: from then on this one was no longer the head. */
  readonly supersededAt?: Instant | undefined;
}

/** A change with the time of its own event: before that moment nothing can have followed it. */
export type DatedChange = Change & { readonly time: Instant };

const SIGNED_AT_ONCE = 64;

/**
 * Makes and signs the beats of this process. Each takes its time first, then looks at the log: a process that cannot
 * read the head of `directives` gives no beat, and the hosts that hear nothing deny.
 */
export class Beats {
  private lastMs = 0;

  constructor(
    private readonly log: { head(stream: string): Promise<number> },
    private readonly known: DirectivesKnown,
    private readonly key: FeedKey,
    /** The time by which decisions are dated: it never goes back, also over a restart. */
    private readonly time: { now(): Instant },
    private readonly leaseMs: number,
  ) {}

  /** All that is active. Throws `LogUnavailable`. */
  async snapshot(): Promise<Beat> {
    const beat = await this.current();
    return signBeat({ ...beat, active: activeDirectives(this.known.directives().state).map(directiveView) }, this.key);
  }

  /** Throws `LogUnavailable`. */
  async heartbeat(): Promise<Beat> {
    return signBeat(await this.current(), this.key);
  }

  /** A change that was committed just now: nothing is read for it. Whoever publishes it later uses `changes`. */
  change(change: Change): Beat {
    return this.changeBeat(change, this.now(), change.supersededAt);
  }

  /**
   * Changes in their order, made public some time after they were committed. A host that hears one and not the next must
   * not go on for longer than if it had heard it in time, so a change that is no longer the head grants only what is left
   * of the lease from the moment on in which it was followed. Throws `LogUnavailable`.
   */
  async changes(changes: readonly DatedChange[]): Promise<Beat[]> {
    const issued = changes.map(() => this.now());
    const head = await this.log.head('directives');
    return changes.map((change, index) => {
      const followedAt = changes[index + 1]?.time ?? (change.epoch < head ? change.time : undefined);
      return this.changeBeat(change, issued[index] ?? change.time, followedAt);
    });
  }

  /**
   * All that is active said anew, for a log of which the last beat of each key counts: a snapshot, and a beat for each
   * active directive and each of `alsoIds`, all of them as of the present epoch. Throws `LogUnavailable`.
   */
  async restatement(alsoIds: Iterable<string>): Promise<{ readonly snapshot: Beat; readonly directives: Beat[] }> {
    const beat = await this.current();
    const { state } = this.known.directives();
    const active = activeDirectives(state).map(directiveView);
    const others = [...new Set(alsoIds)].map((id) => state.all.get(id)).filter((each) => each?.state === 'lifted');
    const views = [...active, ...others.map((each) => directiveView(each as DirectiveState))];
    const directives: Beat[] = [];
    for (const [index, directive] of views.entries()) {
      // Others have their turn in between: with thousands of directives the signatures take a while.
      if (index % SIGNED_AT_ONCE === SIGNED_AT_ONCE - 1) await nextTurn();
      directives.push(signBeat({ ...beat, directive }, this.key));
    }
    return { snapshot: signBeat({ ...beat, active }, this.key), directives };
  }

  /** The JWK (RFC 7517) that beats are verified with. */
  publicKey(): Readonly<Record<string, string>> {
    return { ...this.key.jwk, kid: this.key.kid, use: 'sig', alg: 'EdDSA' };
  }

  private changeBeat(change: Change, issuedAt: Instant, supersededAt: Instant | undefined): Beat {
    const { directive, epoch, stateRoot: root, position } = change;
    const gone = supersededAt === undefined ? 0 : toMs(issuedAt) - toMs(supersededAt);
    const leaseMs = Math.max(1, this.leaseMs - Math.max(0, gone));
    const shown = directiveView(directive);
    return signBeat(
      { epoch, position: String(position), stateRoot: root, issuedAt, leaseMs, directive: shown },
      this.key,
    );
  }

  private async current(): Promise<Omit<Beat, 'kid' | 'signature' | 'active' | 'directive'>> {
    const issuedAt = this.now();
    const head = await this.log.head('directives');
    if (this.known.directives().revision < head) await this.known.refresh(['directives']);
    const { state, revision: epoch } = this.known.directives();
    const position = String(this.known.position);
    return { epoch, position, stateRoot: rootOf(state), issuedAt, leaseMs: this.leaseMs };
  }

  /** Rises with every beat: hosts count none that is not newer than the last. */
  private now(): Instant {
    this.lastMs = Math.max(toMs(this.time.now()), this.lastMs + 1);
    return toInstant(this.lastMs);
  }
}

const roots = new WeakMap<DirectivesState, { readonly epoch: number; readonly root: Beat['stateRoot'] }>();

/** Worked out once an epoch: with a thousand directives it costs a millisecond, and a heartbeat goes out each second. */
function rootOf(state: DirectivesState): Beat['stateRoot'] {
  const known = roots.get(state);
  if (known?.epoch === state.epoch) return known.root;
  const root = stateRoot(activeDirectives(state));
  roots.set(state, { epoch: state.epoch, root });
  return root;
}
