import { canonicalJson, type Json } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import type { Digest } from '../kernel/digest.js';
import type { PublisherKey, PublisherState } from '../publisher/decider.js';
import { bytesOfBase64, isSignedBy, preAuthEncoding, readPublicKey, type Envelope } from './dsse.js';

export const MANIFEST_TYPE = 'application/vnd.sallyport.manifest+json';

/** The statement of a publisher about a version: the JCS of these members is the payload. */
export interface ManifestStatement {
  readonly capability: string;
  readonly kind: string;
  readonly category: string;
  readonly owner: string;
  readonly version: string;
  readonly source: Json;
  readonly definitionDigest: Digest;
  readonly manifest: Json;
  /** Absent if the version has no supply chain. */
  readonly supplyChainDigest?: Digest | undefined;
}

/** The payload that a publisher signs. */
export const statementText = (statement: ManifestStatement): string => canonicalJson(defined({ ...statement }));

/** A key that made a signature of an envelope. Its status does not matter here. */
export interface Signer {
  readonly publisher: string;
  readonly keyId: string;
}

/** The signers of an envelope. They depend on the keys, and not on their status or on the time. */
export interface SignatureFinding {
  /** In the order of the envelope. Empty if the payload is not the statement of this version. */
  readonly signers: readonly Signer[];
  /** `missing`: no signature at all. `invalid`: of something else, or a signature that its own key did not make. */
  readonly fault?: 'missing' | 'invalid' | undefined;
  /** Publishers whose keys were tried, with the number that each had: keys are only added, so it names the set. */
  readonly tried: readonly { readonly publisher: string; readonly keys: number }[];
}

/** Verifications for one envelope. Further keys are not tried: an envelope must not keep the service busy. */
const MAX_TRIES = 128;

/**
 * Verifies an envelope against every key of the publishers that may sign for a capability. `keyid` is a hint alone: if
 * one of the keys has that id, only those are tried, and otherwise all of them (DSSE v1, `protocol.md`). The payload must
 * be the very bytes of the statement: another encoding of the same value is another statement.
 */
export function findSigners(
  envelope: Envelope,
  statement: ManifestStatement,
  publishers: readonly PublisherState[],
): SignatureFinding {
  const { payloadType, payload, signatures } = envelope;
  const tried = publishers.map(({ id, keys }) => ({ publisher: id, keys: keys.size }));
  if (signatures.length === 0) return { signers: [], fault: 'missing', tried };
  const bytes = bytesOfBase64(payload);
  if (payloadType !== MANIFEST_TYPE || bytes === undefined || !isStatement(bytes, statement))
    return { signers: [], fault: 'invalid', tried };
  const encoded = preAuthEncoding(payloadType, bytes);
  const keys = publishers.flatMap(({ id, keys: own }) => [...own.values()].map((key) => ({ publisher: id, key })));
  const signers: Signer[] = [];
  let tries = 0;
  let isInvalid = false;
  for (const { keyid, sig } of signatures) {
    const named = keys.filter(({ key }) => key.keyId === keyid);
    const signature = bytesOfBase64(sig);
    const made = (named.length > 0 ? named : keys).filter(
      ({ key }) => signature !== undefined && (tries += 1) <= MAX_TRIES && hasMade(key, encoded, signature),
    );
    for (const { publisher, key } of made) signers.push({ publisher, keyId: key.keyId });
    isInvalid ||= signature === undefined || (named.length > 0 && made.length === 0);
  }
  const fault = signers.length === 0 && isInvalid ? { fault: 'invalid' as const } : {};
  return { signers: unique(signers), ...fault, tried };
}

/** A signer may write an absent supply chain as null. */
function isStatement(bytes: Buffer, statement: ManifestStatement): boolean {
  if (bytes.equals(Buffer.from(statementText(statement)))) return true;
  const withNull = { ...statement, supplyChainDigest: null };
  return statement.supplyChainDigest === undefined && bytes.equals(Buffer.from(canonicalJson(withNull)));
}

function hasMade({ publicKey, algorithm }: PublisherKey, encoded: Buffer, signature: Buffer): boolean {
  const key = readPublicKey(publicKey, algorithm);
  return typeof key !== 'string' && isSignedBy(key, encoded, signature);
}

const unique = (signers: readonly Signer[]): Signer[] => [
  ...new Map(signers.map((signer) => [`${signer.publisher}/${signer.keyId}`, signer])).values(),
];
