import { stateRoot } from '../../directive/decider.js';
import { targetKey } from '../../directive/target.js';
import type { BeatContent, DirectiveView } from '../../feed/beat.js';
import { err, ok, type Result } from '../../kernel/result.js';

/** The directives as this host knows them: the complete state of one epoch, which matches the signed root. */
export interface Replica {
  /** Of the service's log. Epochs of two incarnations cannot be compared. */
  readonly incarnation: number;
  readonly epoch: number;
  readonly stateRoot: BeatContent['stateRoot'];
  /** In force, by id. */
  readonly active: ReadonlyMap<string, DirectiveView>;
  /** The epoch of the last known directive for a `targetKey`, even if it was lifted since. */
  readonly lastIssued: ReadonlyMap<string, number>;
  /** All directives issued after this epoch are known; of earlier ones, the active ones. */
  readonly completeSince: number;
}

/** Why correctly signed beats do not make a state. */
export type Fault = 'new_incarnation' | 'epoch_gap' | 'root_mismatch';

/** The result of a beat: a new state, the same state, or nothing that the replica could use. */
export type Step = { readonly kind: 'applied' | 'same'; readonly replica: Replica } | { readonly kind: 'ignored' };

/** Above this many targets the lifted ones are forgotten, and earlier allows are void. */
const MAX_TARGETS = 20_000;

/**
 * The replica after a beat, whose signature and shape hold. A snapshot is taken whole, a directive of the next epoch is
 * applied; in both cases the root has to come out as it was signed. Nothing ever leads back to an earlier epoch, and of
 * one epoch the state that was known first stays. A log that was restored is a new incarnation: its first snapshot replaces
 * everything that was known, also at a lower epoch. An older incarnation never counts again.
 */
export function step(replica: Replica | undefined, beat: BeatContent): Result<Step, Fault> {
  if (replica === undefined) return beat.active === undefined ? ok({ kind: 'ignored' }) : snapshot(undefined, beat);
  const incarnation = incarnationOf(beat);
  if (incarnation < replica.incarnation) return ok({ kind: 'ignored' });
  if (incarnation > replica.incarnation)
    return beat.active === undefined ? err('new_incarnation') : snapshot(undefined, beat);
  if (beat.epoch < replica.epoch) return ok({ kind: 'ignored' });
  if (beat.epoch === replica.epoch) {
    return beat.stateRoot === replica.stateRoot ? ok({ kind: 'same', replica }) : err('root_mismatch');
  }
  if (beat.active !== undefined) return snapshot(replica, beat);
  if (beat.epoch > replica.epoch + 1 || beat.directive === undefined) return err('epoch_gap');
  return changed(replica, beat, beat.directive);
}

/**
 * The replica that the last beats of a log's keys make together: the directives that are active, at the latest epoch of
 * any of them. Their signatures and shapes hold. Only the newest incarnation counts: the log may hold directives that a
 * restored service does not know.
 */
export function fromLog(replica: Replica | undefined, all: readonly BeatContent[]): Result<Step, Fault> {
  const incarnation = Math.max(0, ...new Set(all.map(incarnationOf)));
  const beats = all.filter((beat) => incarnationOf(beat) === incarnation);
  const latest = new Map<string, BeatContent>();
  let newest: BeatContent | undefined;
  for (const beat of beats) {
    if (newest === undefined || beat.epoch >= newest.epoch) newest = beat;
    if (beat.directive === undefined) continue;
    const known = latest.get(beat.directive.id);
    if (known === undefined || beat.epoch >= known.epoch) latest.set(beat.directive.id, beat);
  }
  if (newest === undefined) return ok({ kind: 'ignored' });
  const active = [...latest.values()].flatMap(({ directive }) => (directive?.state === 'active' ? [directive] : []));
  return step(replica, { ...newest, active });
}

/** Services of before incarnations were named count as the first. */
export const incarnationOf = ({ incarnation = 0 }: Pick<BeatContent, 'incarnation'>): number => incarnation;

/** Whether a directive of a later epoch stops what was allowed, or whether that cannot be ruled out. */
export function isVoid(
  replica: Replica,
  allow: { readonly epoch: number; readonly targets: readonly string[] },
): boolean {
  if (allow.epoch < replica.completeSince) return true;
  return allow.targets.some((target) => (replica.lastIssued.get(target) ?? 0) > allow.epoch);
}

function snapshot(replica: Replica | undefined, beat: BeatContent): Result<Step, Fault> {
  const { epoch, stateRoot: signed, active = [] } = beat;
  const incarnation = incarnationOf(beat);
  const byId = new Map(active.map((directive) => [directive.id, directive]));
  if (byId.size !== active.length || stateRoot(active) !== signed) return err('root_mismatch');
  // From the epoch before, nothing can have been issued and lifted unseen.
  const follows = replica !== undefined && epoch <= replica.epoch + 1;
  const lastIssued = new Map(follows ? replica.lastIssued : []);
  for (const directive of active) noteIssue(lastIssued, directive);
  const completeSince = follows ? replica.completeSince : epoch;
  const next = { incarnation, epoch, stateRoot: signed, active: byId, lastIssued, completeSince };
  return ok({ kind: 'applied', replica: next });
}

function changed(replica: Replica, beat: BeatContent, directive: DirectiveView): Result<Step, Fault> {
  const active = new Map(replica.active);
  if (directive.state === 'active') active.set(directive.id, directive);
  else active.delete(directive.id);
  if (stateRoot([...active.values()]) !== beat.stateRoot) return err('root_mismatch');
  const forgets = replica.lastIssued.size >= MAX_TARGETS;
  const lastIssued = new Map(forgets ? [] : replica.lastIssued);
  if (forgets) for (const each of active.values()) noteIssue(lastIssued, each);
  noteIssue(lastIssued, directive);
  const completeSince = forgets ? beat.epoch : replica.completeSince;
  const { epoch, stateRoot: signed } = beat;
  const next = { incarnation: replica.incarnation, epoch, stateRoot: signed, active, lastIssued, completeSince };
  return ok({ kind: 'applied', replica: next });
}

function noteIssue(lastIssued: Map<string, number>, { target, epoch }: DirectiveView): void {
  const key = targetKey(target);
  lastIssued.set(key, Math.max(epoch, lastIssued.get(key) ?? 0));
}
