import type { SealedEvidence, SealQuery } from '../seal/messages.js';

/** A question to the sealer, for proofs under one checkpoint. */
export type ProofQuery = Extract<SealQuery, { readonly kind: 'evidence' }>;

/** The sealed log, as far as an export needs it. */
export interface ProofSource {
  /** The verifier keys of the signatures of its checkpoints. */
  readonly keys: readonly string[];
  /** Undefined if nothing was sealed yet. */
  ask(query: ProofQuery): Promise<SealedEvidence | undefined>;
}
