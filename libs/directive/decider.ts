import { z } from 'zod';
import { canonicalJson } from '../kernel/canonical-json.js';
import type { Decider } from '../kernel/decider.js';
import { digestOfBytes, type Digest } from '../kernel/digest.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { Instant } from '../kernel/time.js';
import { DigestText, InstantText, Reason, Uuid } from '../vocabulary/ids.js';
import { Target, targetKey } from './target.js';

/** Facts of the one stream `directives`; its revision is the epoch. `stateRoot` is the root after the fact. */
export const DirectiveIssued = z.strictObject({
  id: Uuid,
  target: Target,
  reason: Reason,
  /** The id of the event that brought this stop with it (a suspension, a revocation); absent where an operator issued it. */
  cause: Uuid.optional(),
  expiresAt: InstantText.optional(),
  requestDigest: DigestText.optional(),
  stateRoot: DigestText,
});
export const DirectiveLifted = z.strictObject({ id: Uuid, reason: Reason, stateRoot: DigestText });
export const directiveEventSchemas = { DirectiveIssued, DirectiveLifted } as const;

export type DirectiveEvent = { readonly actor: string; readonly time: Instant } & (
  | { readonly type: 'DirectiveIssued'; readonly data: z.infer<typeof DirectiveIssued> }
  | { readonly type: 'DirectiveLifted'; readonly data: z.infer<typeof DirectiveLifted> }
);

export interface DirectiveState {
  readonly id: string;
  /** The epoch of its issue. */
  readonly epoch: number;
  readonly target: Target;
  readonly reason: string;
  readonly issuedBy: string;
  readonly issuedAt: Instant;
  readonly cause?: string | undefined;
  readonly expiresAt?: Instant | undefined;
  readonly requestDigest?: Digest | undefined;
  state: 'active' | 'lifted';
}

/** The end of a directive: the epoch of its lifting, by whom, when and why. */
export interface Lift {
  readonly epoch: number;
  readonly by: string;
  readonly at: Instant;
  readonly reason: string;
}

export interface DirectivesState {
  /** Revision of the stream; 0 before the first directive. */
  epoch: number;
  readonly all: Map<string, DirectiveState>;
  /** Active directives by `targetKey`. */
  readonly active: Map<string, readonly DirectiveState[]>;
  /** The epoch of the last directive ever issued for a `targetKey`, lifted since or not. */
  readonly lastIssued: Map<string, number>;
  /** The end of each directive that was lifted, by its id. */
  readonly lifts: Map<string, Lift>;
  /** The state root after each epoch, from the first on. */
  readonly roots: Digest[];
}

/** The directives in force at one epoch, as decisions look them up. */
export interface StandingDirectives {
  readonly epoch: number;
  readonly active: {
    /** Those in force, by `targetKey`. */
    get(key: string): readonly Pick<DirectiveState, 'id' | 'target' | 'cause'>[] | undefined;
  };
}

export type DirectiveCommand = { readonly actor: string; readonly time: Instant } & (
  | {
      readonly type: 'issue';
      readonly id: string;
      readonly target: Target;
      readonly reason: string;
      readonly cause?: string;
      readonly expiresAt?: Instant;
      readonly requestDigest?: Digest;
    }
  | {
      readonly type: 'lift';
      readonly id: string;
      readonly reason: string;
      /** Set by what ends the cause (a reinstatement): an operator cannot lift what a suspension issued. */
      readonly withCause?: boolean;
    }
);

export const directiveDecider: Decider<DirectivesState, DirectiveCommand, DirectiveEvent, Refusal> = {
  initialState: () => ({
    epoch: 0,
    all: new Map(),
    active: new Map(),
    lastIssued: new Map(),
    lifts: new Map(),
    roots: [],
  }),
  decide: (command, state) => (command.type === 'issue' ? issue(command, state) : lift(command, state)),
  evolve(state, event) {
    state.epoch += 1;
    state.roots.push(event.data.stateRoot);
    if (event.type === 'DirectiveIssued') {
      const { stateRoot: _, ...facts } = event.data;
      const directive: DirectiveState = {
        ...facts,
        epoch: state.epoch,
        issuedBy: event.actor,
        issuedAt: event.time,
        state: 'active',
      };
      const key = targetKey(directive.target);
      state.all.set(directive.id, directive);
      state.active.set(key, [...(state.active.get(key) ?? []), directive]);
      state.lastIssued.set(key, state.epoch);
      return state;
    }
    const directive = state.all.get(event.data.id);
    if (directive === undefined) throw new Error('DirectiveLifted of an unknown directive');
    directive.state = 'lifted';
    state.lifts.set(directive.id, { epoch: state.epoch, by: event.actor, at: event.time, reason: event.data.reason });
    const key = targetKey(directive.target);
    const rest = (state.active.get(key) ?? []).filter((other) => other.id !== directive.id);
    if (rest.length > 0) state.active.set(key, rest);
    else state.active.delete(key);
    return state;
  },
};

type Decided = Result<readonly DirectiveEvent[], Refusal>;

function issue(command: Extract<DirectiveCommand, { type: 'issue' }>, state: DirectivesState): Decided {
  const { type: _, actor, time, id, target, ...rest } = command;
  const existing = state.all.get(id);
  if (existing?.state === 'lifted') {
    return err(refusal('invalid_transition', 'the directive with this id has been lifted: use a new id'));
  }
  if (existing !== undefined) {
    return existing.requestDigest !== undefined && existing.requestDigest === command.requestDigest
      ? ok([])
      : err(refusal('already_exists', 'another directive has this id'));
  }
  if (command.expiresAt !== undefined && command.expiresAt <= time) {
    return err(
      refusal('malformed_request', 'the directive would end before it begins', [
        { path: '/expiresAt', message: 'lies in the past' },
      ]),
    );
  }
  const root = stateRoot([...[...state.active.values()].flat(), { id, target, epoch: state.epoch + 1 }]);
  return ok([{ type: 'DirectiveIssued', actor, time, data: { id, target, ...rest, stateRoot: root } }]);
}

function lift(command: Extract<DirectiveCommand, { type: 'lift' }>, state: DirectivesState): Decided {
  const { actor, time, id, reason } = command;
  const directive = state.all.get(id);
  if (directive === undefined) return err(refusal('not_found', 'no such directive'));
  if (directive.state === 'lifted') return err(refusal('invalid_transition', 'the directive has been lifted'));
  if (directive.cause !== undefined && command.withCause !== true) {
    return err(refusal('invalid_transition', 'a suspension issued it: reinstate the version instead'));
  }
  const root = stateRoot(activeDirectives(state).filter((other) => other.id !== id));
  return ok([{ type: 'DirectiveLifted', actor, time, data: { id, reason, stateRoot: root } }]);
}

/** All directives in force, in order of id. */
export function activeDirectives(state: DirectivesState): DirectiveState[] {
  return [...state.active.values()].flat().sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The part of a directive that roots and proofs cover. */
export type Rooted = Pick<DirectiveState, 'id' | 'target' | 'epoch'>;

/** `sha256(JCS([{id, target, epoch}, …] sorted by id))`: two views with one root stop the same calls. */
export const stateRoot = (active: readonly Rooted[]): Digest => digestOfBytes(rootedList(active));

/** `JCS([{id, target, epoch}, …] sorted by id)`. */
export function rootedList(active: readonly Rooted[]): string {
  const sorted = [...active].sort((a, b) => (a.id < b.id ? -1 : 1));
  return `[${sorted.map(rootedText).join(',')}]`;
}

/** The directives that were in force at an epoch that has been. Reads all directives if that is not the present epoch. */
export function activeAt(state: DirectivesState, epoch: number): DirectiveState[] {
  if (epoch === state.epoch) return activeDirectives(state);
  const isActive = ({ id, epoch: issued }: DirectiveState): boolean =>
    issued <= epoch && (state.lifts.get(id)?.epoch ?? Number.POSITIVE_INFINITY) > epoch;
  return [...state.all.values()].filter(isActive);
}

const rootedTexts = new WeakMap<Rooted, string>();

/** The JCS of what a root says of a directive. None of it ever changes, and each change of any directive asks for all. */
function rootedText(directive: Rooted): string {
  const known = rootedTexts.get(directive);
  if (known !== undefined) return known;
  const { id, target, epoch } = directive;
  const text = canonicalJson({ epoch, id, target });
  rootedTexts.set(directive, text);
  return text;
}

const EMPTY_ROOT = stateRoot([]);

/** The state root at an epoch; undefined where there is no such epoch yet. */
export function rootAt(state: DirectivesState, epoch: number): Digest | undefined {
  return epoch === 0 ? EMPTY_ROOT : state.roots[epoch - 1];
}

/** Whether an allow has become void: a directive of a later epoch matches one of its targets, lifted since or not. */
export function isVoid(
  state: Pick<DirectivesState, 'lastIssued'>,
  allow: { readonly epoch: number; readonly targets: readonly string[] },
): boolean {
  return allow.targets.some((target) => (state.lastIssued.get(target) ?? 0) > allow.epoch);
}
