import { LRUCache } from 'lru-cache';
import { activeAt, type DirectivesState } from '../directive/decider.js';
import { proverOf, type Prover } from '../feed/state-proof.js';

/** Epochs whose proof is kept. Hosts acknowledge the latest ones, each of them more than once. */
const MAX_KEPT = 256;

/** The proofs that the service expects. The directives of an epoch are hashed once, at the first proof of that epoch. */
export class ProofCheck {
  private readonly provers = new LRUCache<number, Prover>({ max: MAX_KEPT });

  /** `epoch` is not above that of the state. */
  expected(state: DirectivesState, epoch: number): Prover {
    const known = this.provers.get(epoch);
    if (known !== undefined) return known;
    const prover = proverOf(activeAt(state, epoch));
    this.provers.set(epoch, prover);
    return prover;
  }
}
