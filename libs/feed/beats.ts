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
}

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

  /** What has been committed, so nothing needs to be read for it. */
  change({ directive, epoch, stateRoot: root, position }: Change): Beat {
    return signBeat(
      {
        epoch,
        position: String(position),
        stateRoot: root,
        issuedAt: this.now(),
        leaseMs: this.leaseMs,
        directive: directiveView(directive),
      },
      this.key,
    );
  }

  /** The JWK (RFC 7517) that beats are verified with. */
  publicKey(): Readonly<Record<string, string>> {
    return { ...this.key.jwk, kid: this.key.kid, use: 'sig', alg: 'EdDSA' };
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
