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
import { directiveView, signBeat, type Beat, type DirectiveView, type FeedKey } from './beat.js';

/** The directives as this process knows them, and the one log that knows better. */
export interface LiveDirectives {
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

/** A change with the time of its own event: before that moment nothing can have followed it. */
export type DatedChange = Change & { readonly time: Instant };

interface RevisionOf {
  readonly revision: number;
}

/** The change that an event of the stream `directives` is; `state` holds all up to it, at least. */
export function changeIn(event: DirectiveEvent & RevisionOf, position: bigint, state: DirectivesState): Change {
  const { type, data } = event;
  const directive = state.all.get(data.id);
  if (directive === undefined) throw new Error(`${type} of an unknown directive`);
  const stands = { ...directive, state: type === 'DirectiveIssued' ? 'active' : 'lifted' } as const;
  return { directive: stands, epoch: event.revision, stateRoot: data.stateRoot, position };
}

/** A beat that is not signed yet, without what makes it a snapshot or a change. */
type Said = Omit<Beat, 'kid' | 'signature' | 'active' | 'directive'>;

/** Each takes some tens of microseconds. */
const SIGNED_AT_ONCE = 64;

/**
 * Makes and signs the beats of this process. Each takes its time first, then looks at the log: a process that cannot
 * read the head of `directives` gives no beat, and the hosts that hear nothing deny.
 */
export class BeatSigner {
  private lastMs = 0;

  constructor(
    private readonly log: { head(stream: string): Promise<number> },
    private readonly known: LiveDirectives,
    private readonly key: FeedKey,
    /** The time by which decisions are dated: it never goes back, also over a restart. */
    private readonly time: { now(): Instant },
    private readonly leaseMs: number,
  ) {}

  /** All that is active; whoever asks while one is made gets the next one. Throws `LogUnavailable`. */
  readonly snapshot: () => Promise<Beat> = shared(async () => {
    const [beat, { views, text }] = await this.standing(activeOf);
    return signBeat({ ...beat, active: views }, this.key, text);
  });

  /** As `snapshot`, without what is active. Throws `LogUnavailable`. */
  readonly heartbeat: () => Promise<Beat> = shared(async () => signBeat(await this.current(), this.key));

  /** What has been committed just now, so nothing needs to be read for it. */
  change(change: Change): Beat {
    return this.changeBeat(change, this.now());
  }

  /**
   * Changes in their order, made public some time after they were committed. A host that hears one and not the next must
   * not go on for longer than if it had heard it in time, so a change that is no longer the head grants only what is left
   * of the lease from the moment on in which it was followed. Throws `LogUnavailable`.
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
   * Everything said anew, for a log of which the last beat of each key counts: a snapshot, and a beat for each active
   * directive and for each lifted one of `lifted`, all of them as of the present epoch. Throws `LogUnavailable`.
   */
  async restatement(lifted: Iterable<string>): Promise<{ readonly snapshot: Beat; readonly directives: Beat[] }> {
    const [beat, { views: active, text, others }] = await this.standing((state) => {
      const known = [...new Set(lifted)].map((id) => state.all.get(id));
      const stood = known.filter((each) => each !== undefined).filter((each) => each.state === 'lifted');
      return { ...activeOf(state), others: stood.map(directiveView) };
    });
    const directives: Beat[] = [];
    for (const [index, directive] of [...active, ...others].entries()) {
      // Others have their turn in between: with thousands of directives the signatures take a while.
      if (index % SIGNED_AT_ONCE === SIGNED_AT_ONCE - 1) await nextTurn();
      directives.push(signBeat({ ...beat, directive }, this.key));
    }
    return { snapshot: signBeat({ ...beat, active }, this.key, text), directives };
  }

  /** The JWK (RFC 7517) that beats are verified with. */
  publicKey(): FeedKey['jwk'] & { readonly kid: string; readonly use: 'sig'; readonly alg: 'EdDSA' } {
    return { ...this.key.jwk, kid: this.key.kid, use: 'sig', alg: 'EdDSA' };
  }

  private changeBeat(change: Change, issuedAt: Instant, supersededAt = issuedAt): Beat {
    const { directive, epoch, stateRoot: root, position } = change;
    const leaseMs = Math.max(1, this.leaseMs - Math.max(0, toMs(issuedAt) - toMs(supersededAt)));
    return signBeat(
      {
        epoch,
        position: String(position),
        stateRoot: root,
        issuedAt,
        leaseMs,
        directive: directiveView(directive),
      },
      this.key,
    );
  }

  /** What is to be said now, and what `read` finds in the very state that it is said of: that state is live. */
  private async standing<Read>(read: (state: DirectivesState) => Read): Promise<readonly [Said, Read]> {
    for (;;) {
      const beat = await this.current();
      const { state, revision } = this.known.directives();
      // A directive may be folded in between the two: its root is another one.
      if (revision === beat.epoch) return [beat, read(state)];
    }
  }

  private async current(): Promise<Said> {
    // More than one in a millisecond would run ahead of the clock, and hosts count no beat that does.
    if (this.lastMs >= toMs(this.time.now())) await pause(1);
    const issuedAt = this.now();
    const head = await this.log.head('directives');
    if (this.known.directives().revision < head) await this.known.refresh(['directives']);
    const { state, revision: epoch } = this.known.directives();
    const position = String(this.known.position);
    const root = rootAt(state, epoch);
    if (root === undefined) throw new Error('the state of directives is not at its revision');
    return { epoch, position, stateRoot: root, issuedAt, leaseMs: this.leaseMs };
  }

  /** Rises with every beat: hosts count none that is not newer than the last. */
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

/** Written once an epoch: with a thousand directives it costs milliseconds, and every host asks after each restart. */
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

/** Of an active directive, of which nothing changes for as long as it is active. */
function shownAs(directive: DirectiveState): { readonly view: DirectiveView; readonly text: string } {
  const known = shownEach.get(directive);
  if (known !== undefined) return known;
  const view = directiveView(directive);
  const made = { view, text: canonicalJson(view) };
  shownEach.set(directive, made);
  return made;
}
