import { createHash } from 'node:crypto';
import { rootedList, type Rooted } from '../directive/decider.js';
import { canonicalJson } from '../kernel/canonical-json.js';
import type { Digest } from '../kernel/digest.js';

/** A beat's nonce, and the proof that `proverOf` makes with it. */
export interface StateProof {
  readonly nonce: string;
  readonly proof: Digest;
}

/** Makes the proof of one instance for one nonce. `instanceId` is in lower case. */
export type Prover = (instanceId: string, nonce: string) => Digest;

/**
 * A proof that an instance holds these active directives: `sha256(JCS({active: [{id, target, epoch}, …] sorted by id,
 * instanceId, nonce}))`. A state root does not help to make one. The list is hashed once, and each proof costs microseconds.
 */
export function proverOf(active: readonly Rooted[]): Prover {
  // `active` sorts before the other members, so the hash of its long text is kept.
  const begun = createHash('sha256').update(`{"active":${rootedList(active)},`);
  return (instanceId, nonce) => {
    const rest = canonicalJson({ instanceId, nonce }).slice(1);
    return `sha256:${begun.copy().update(rest).digest('hex')}`;
  };
}
