import type { Instant } from '../kernel/time.js';
import { keyStatus, type KeyStatus, type MaybePublisher } from '../publisher/decider.js';
import type { SignatureReason } from '../vocabulary/words.js';
import type { CapabilityState, VersionState } from './state.js';

/** The result of check 6: `verified` with the signer, or the reason why the signature carries nothing. */
export type SignatureResult =
  | { readonly result: 'verified'; readonly publisher: string; readonly keyId: string }
  | { readonly result: SignatureReason; readonly publisher?: string; readonly keyId?: string };

/** Looks a publisher up. */
export type PublisherOf = (publisher: string) => MaybePublisher;

/** The publishers on whom the signature of a version rests: a decision about it consults their streams. */
export function signingPublishers({ publishers }: CapabilityState, { signature }: VersionState): string[] {
  const named = signature?.signers.map(({ publisher }) => publisher) ?? [];
  return [...new Set(named)].filter((publisher) => publishers.includes(publisher));
}

/** A key that cannot carry a signature, by the reason that tells its owner most. */
const REASONS: readonly (readonly [KeyStatus, SignatureReason])[] = [
  ['revoked', 'publisher_key_revoked'],
  ['expired', 'publisher_key_expired'],
  ['pending', 'publisher_unknown'],
  ['rejected', 'publisher_unknown'],
];

/**
 * The result of check 6 for a version at an instant. One good signature is enough, as with DSSE thresholds of 1. A key
 * counts while it is active and one of the capability's publishers has it.
 */
export function signatureOf(
  { publishers }: Pick<CapabilityState, 'publishers'>,
  { documents, signature }: Pick<VersionState, 'documents' | 'signature'>,
  publisherOf: PublisherOf,
  at: Instant,
): SignatureResult {
  if (documents.signature === undefined || signature?.fault === 'missing') return { result: 'signature_missing' };
  if (signature === undefined) return { result: 'signature_unverifiable' };
  if (signature.fault === 'invalid') return { result: 'signature_invalid' };
  const statuses = signature.signers
    .filter(({ publisher }) => publishers.includes(publisher))
    .map((signer) => ({ ...signer, status: statusOf(publisherOf(signer.publisher), signer.keyId, at) }));
  const active = statuses.find(({ status }) => status === 'active');
  if (active !== undefined) return { result: 'verified', publisher: active.publisher, keyId: active.keyId };
  for (const [status, result] of REASONS) {
    const found = statuses.find((each) => each.status === status);
    if (found !== undefined) return { result, publisher: found.publisher, keyId: found.keyId };
  }
  return { result: 'publisher_unknown' };
}

function statusOf(publisher: MaybePublisher, keyId: string, at: Instant): KeyStatus | undefined {
  const key = publisher?.keys.get(keyId);
  return publisher === undefined || key === undefined ? undefined : keyStatus(publisher, key, at);
}
