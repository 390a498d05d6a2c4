import { createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { activeDirectives, directiveDecider, stateRoot } from '../../libs/directive/decider.js';
import type { Target } from '../../libs/directive/target.js';
import { directiveView, signBeat, type Beat, type FeedKey } from '../../libs/feed/beat.js';
import { toInstant } from '../../libs/kernel/time.js';

/** The beats of a service, without the service: the truth for comparison with hosts. */
export interface FeedModel {
  readonly key: FeedKey;
  /** To verify its beats with, by `kid`. */
  readonly keys: ReadonlyMap<string, KeyObject>;
  readonly epoch: number;
  readonly active: readonly { readonly id: string; readonly target: Target }[];
  issue(id: string, target: Target): Beat;
  lift(id: string): Beat;
  heartbeat(): Beat;
  snapshot(): Beat;
}

/**
 * `nowMs` is the service's clock. `issuedAt` rises with each beat, except across a restart (`forgets`) over which the
 * clock went back. A model with another's key and a greater incarnation is the service after its log was restored.
 */
export function feedModel(
  nowMs: () => number = Date.now,
  leaseMs = 5000,
  forgets = () => false,
  { incarnation, signedBy }: { readonly incarnation?: number; readonly signedBy?: FeedKey } = {},
): FeedModel {
  const privateKey = signedBy?.privateKey ?? generateKeyPairSync('ed25519').privateKey;
  const publicKey = createPublicKey(privateKey);
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const key: FeedKey = { kid: 'k1', privateKey, jwk: { kty: 'OKP', crv: 'Ed25519', x } };
  const state = directiveDecider.initialState();
  let lastMs = 0;
  const now = () => {
    if (forgets()) lastMs = 0;
    lastMs = Math.max(nowMs(), lastMs + 1);
    return toInstant(lastMs);
  };
  const current = () => ({
    ...(incarnation === undefined ? {} : { incarnation }),
    epoch: state.epoch,
    position: String(state.epoch),
    stateRoot: stateRoot(activeDirectives(state)),
    issuedAt: now(),
    leaseMs,
    nonce: randomBytes(16).toString('hex'),
  });
  const decided = (command: { type: 'issue'; id: string; target: Target } | { type: 'lift'; id: string }): Beat => {
    const made = directiveDecider.decide({ ...command, reason: 'r', actor: 'otto', time: toInstant(nowMs()) }, state);
    if (!made.ok) throw new Error(made.error.code);
    for (const event of made.value) directiveDecider.evolve(state, event);
    const directive = state.all.get(command.id);
    if (directive === undefined) throw new Error('no such directive');
    return signBeat({ ...current(), directive: directiveView(directive) }, key);
  };
  return {
    key,
    keys: new Map([[key.kid, publicKey]]),
    get epoch() {
      return state.epoch;
    },
    get active() {
      return activeDirectives(state);
    },
    issue: (id, target) => decided({ type: 'issue', id, target }),
    lift: (id) => decided({ type: 'lift', id }),
    heartbeat: () => signBeat(current(), key),
    snapshot: () => signBeat({ ...current(), active: activeDirectives(state).map(directiveView) }, key),
  };
}
