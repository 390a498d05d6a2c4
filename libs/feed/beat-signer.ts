import { createPublicKey } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import {
  activeDirectives,
  rootAt,
  type DirectiveEvent,
  type DirectivesState,
  type DirectiveState,
} from '../directive/decider.js';
import { canonicalJson } from '../kernel/canonical-json.js';
import { shared } from '../kernel/shared.js';
import { toInstant, toMs, type Instant } from '../kernel/time.js';
import {
  directiveView,
  signBeat,
  verifiedContent,
  type Beat,
  type BeatContent,
  type DirectiveView,
  type FeedKey,
} from './beat.js';
import { Challenges } from './challenges.js';

/** The directives as this process knows them. The log may be ahead. */
export interface LiveDirectives {
  directives(): { readonly state: DirectivesState; readonly revision: number };
  /** Reads the new events of the named streams. */
  refresh(streams: Iterable<string>): Promise<void>;
  readonly position: bigint;
}

/** One change of a directive, as a beat reports it. */
export interface Change {
  readonly directive: DirectiveState;
  readonly epoch: number;
  /** After the change. */
  readonly stateRoot: Beat['stateRoot'];
  readonly position: bigint;
}

/** A change with the time of its event. No later change has an earlier time. */
export type DatedChange = Change & { readonly time: Instant };

interface RevisionOf {
  readonly revision: number;
}

/** Reads the change from an event of the stream `directives`. `state` includes at least all events up to it. */
export function changeIn(event: DirectiveEvent & RevisionOf, position: bigint, state: DirectivesState): Change {
  const { type, data } = event;
  const directive = state.all.get(data.id);
  if (directive === undefined) throw new Error(`${type} of an unknown directive`);
  const stands = { ...directive, state: type === 'DirectiveIssued' ? 'active' : 'lifted' } as const;
  return { directive: stands, epoch: event.revision, stateRoot: data.stateRoot, position };
}

/** The members that every beat has, before it is signed. */
type Said = Omit<BeatContent, 'kid' | 'active' | 'directive'>;

/** Signatures in one turn of the event loop. Each takes some tens of microseconds. */
const SIGNED_AT_ONCE = 64;

/**
 * Makes and signs the beats of this process. Each beat takes its time first and then reads the log. A process that cannot
 * read the head of `directives` makes no beat, and hosts that receive none deny.
 */
export class BeatSigner {
  private lastMs = 0;
  private readonly ownKeys;
  private readonly challenges: Challenges;

  constructor(
    private readonly log: { head(stream: string): Promise<number> },
    private readonly known: LiveDirectives,
    private readonly key: FeedKey,
    /** The clock that dates decisions. It never goes back, not even over a restart. */
    private readonly time: { now(): Instant },
    private readonly leaseMs: number,
    /** Of the log (`libs/backup/incarnation.ts`). */
    private readonly incarnation: number,
  ) {
    // An acknowledgement may wait for a lease, and so may the beat before it.
    this.challenges = new Challenges(key, 2 * leaseMs);
    this.ownKeys = new Map([[key.kid, createPublicKey(key.privateKey)]]);
  }

  /** All active directives. A caller that asks while one is being made gets the next one. Rejects with `LogUnavailable`. */
  readonly snapshot: () => Promise<Beat> = shared(async () => {
    const [beat, { views, text }] = await this.standing(activeOf);
    return signBeat({ ...beat, active: views }, this.key, text);
  });

  /** As `snapshot`, without the directives. Rejects with `LogUnavailable`. */
  readonly heartbeat: () => Promise<Beat> = shared(async () => signBeat(await this.current(), this.key));

  /** A change that was committed just now. It needs no reading of the log. */
  change(change: Change): Beat {
    return this.changeBeat(change, this.now());
  }

  /**
   * Changes in their order, published some time after they were committed. A host that hears one change and misses the
   * next must not continue longer than if it had heard the first in time. So a change that is no longer the head grants
   * only the rest of the lease that began when the next change followed. Rejects with `LogUnavailable`.
   */
  async changes(changes: readonly DatedChange[]): Promise<Beat[]> {
    const dated = changes.map((change) => ({ change, issuedAt: this.now() }));
    const head = await this.log.head('directives');
    return dated.map(({ change, issuedAt }, index) => {
      const followedAt = changes[index + 1]?.time ?? (change.epoch < head ? change.time : undefined);
      return this.changeBeat(change, issuedAt, followedAt);
    });
  }

  /**
   * Everything again, for a log in which the last beat of each key counts: a snapshot, and a beat for each active directive
   * and for each lifted one in `lifted`, all as of the present epoch. Rejects with `LogUnavailable`.
   */
  async restatement(lifted: Iterable<string>): Promise<{ readonly snapshot: Beat; readonly directives: Beat[] }> {
    const [beat, { views: active, text, others }] = await this.standing((state) => {
      const known = [...new Set(lifted)].map((id) => state.all.get(id));
      const stood = known.filter((each) => each !== undefined).filter((each) => each.state === 'lifted');
      return { ...activeOf(state), others: stood.map(directiveView) };
    });
    const directives: Beat[] = [];
    for (const [index, directive] of [...active, ...others].entries()) {
      // Other work gets a turn: the signatures of thousands of directives take a while.
      if (index % SIGNED_AT_ONCE === SIGNED_AT_ONCE - 1) await nextTurn();
      directives.push(signBeat({ ...beat, directive }, this.key));
    }
    return { snapshot: signBeat({ ...beat, active }, this.key, text), directives };
  }

  /** The JWK (RFC 7517) that beats are verified with. */
  publicKey(): FeedKey['jwk'] & { readonly kid: string; readonly use: 'sig'; readonly alg: 'EdDSA' } {
    return { ...this.key.jwk, kid: this.key.kid, use: 'sig', alg: 'EdDSA' };
  }

  /** Whether a beat of this epoch had this nonce, two leases ago at most. */
  isCurrent(nonce: string, epoch: number): boolean {
    return this.challenges.isCurrent(nonce, epoch, toMs(this.time.now()));
  }

  /** The content of a beat that this key signed, not yet checked for its shape; undefined if it did not. */
  ownContent(beat: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined {
    return verifiedContent(beat, this.ownKeys);
  }

  private changeBeat(change: Change, issuedAt: Instant, supersededAt = issuedAt): Beat {
    const { directive, epoch, stateRoot: root, position } = change;
    const leaseMs = Math.max(1, this.leaseMs - Math.max(0, toMs(issuedAt) - toMs(supersededAt)));
    return signBeat(
      {
        incarnation: this.incarnation,
        epoch,
        position: String(position),
        stateRoot: root,
        issuedAt,
        leaseMs,
        nonce: this.challenges.nonce(epoch, toMs(issuedAt)),
        directive: directiveView(directive),
      },
      this.key,
    );
  }

  /** The members of a beat, and what `read` returns for the state of the same epoch. The state is live. */
  private async standing<Read>(read: (state: DirectivesState) => Read): Promise<readonly [Said, Read]> {
    for (;;) {
      const beat = await this.current();
      const { state, revision } = this.known.directives();
      // Another directive may have been folded meanwhile: the root differs then.
      if (revision === beat.epoch) return [beat, read(state)];
    }
  }

  private async current(): Promise<Said> {
    // Two beats in a millisecond would run ahead of the clock, and hosts ignore a beat from the future.
    if (this.lastMs >= toMs(this.time.now())) await pause(1);
    const issuedAt = this.now();
    const head = await this.log.head('directives');
    if (this.known.directives().revision < head) await this.known.refresh(['directives']);
    const { state, revision: epoch } = this.known.directives();
    const position = String(this.known.position);
    const root = rootAt(state, epoch);
    if (root === undefined) throw new Error('the state of directives is not at its revision');
    const { incarnation, leaseMs } = this;
    const nonce = this.challenges.nonce(epoch, toMs(issuedAt));
    return { incarnation, epoch, position, stateRoot: root, issuedAt, leaseMs, nonce };
  }

  /** Rises with every beat: hosts ignore a beat that is not newer than the last. */
  private now(): Instant {
    this.lastMs = Math.max(toMs(this.time.now()), this.lastMs + 1);
    return toInstant(this.lastMs);
  }
}

interface Active {
  readonly epoch: number;
  readonly views: DirectiveView[];
  /** Their JCS. */
  readonly text: string;
}

const shown = new WeakMap<DirectivesState, Active>();

/** Made once for each epoch: with a thousand directives it costs milliseconds, and every host asks after a restart. */
function activeOf(state: DirectivesState): Active {
  const known = shown.get(state);
  if (known?.epoch === state.epoch) return known;
  const each = activeDirectives(state).map(shownAs);
  const text = `[${each.map((one) => one.text).join(',')}]`;
  const active = { epoch: state.epoch, views: each.map(({ view }) => view), text };
  shown.set(state, active);
  return active;
}

const shownEach = new WeakMap<DirectiveState, { readonly view: DirectiveView; readonly text: string }>();

/** The view of an active directive, which does not change while it is active. */
function shownAs(directive: DirectiveState): { readonly view: DirectiveView; readonly text: string } {
  const known = shownEach.get(directive);
  if (known !== undefined) return known;
  const view = directiveView(directive);
  const made = { view, text: canonicalJson(view) };
  shownEach.set(directive, made);
  return made;
}
