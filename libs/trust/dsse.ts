import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { KeyAlgorithm } from '../vocabulary/words.js';

/** An envelope as it came: DSSE v1 (secure-systems-lab/dsse, `envelope.md`). Nothing in it has been checked. */
export interface Envelope {
  readonly payloadType: string;
  readonly payload: string;
  readonly signatures: readonly { readonly keyid?: string | undefined; readonly sig: string }[];
}

/** The bytes that a DSSE v1 signature covers (`protocol.md`: PAE). Lengths are those of the UTF-8, in decimal. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType);
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} `), type, Buffer.from(` ${payload.length} `), payload]);
}

/**
 * The bytes of a base64 text. DSSE allows the standard and the URL-safe alphabet, with or without padding. Undefined for
 * any other text: `Buffer` alone would pass over what it does not know.
 */
export function bytesOfBase64(text: string): Buffer | undefined {
  if (!/^(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)={0,2}$/.test(text)) return undefined;
  const digits = text.replace(/=+$/, '');
  if (digits.length % 4 === 1 || (text.length > digits.length && text.length % 4 !== 0)) return undefined;
  const bytes = Buffer.from(digits, 'base64');
  // Bits after the last byte are zero, so each envelope has one spelling of its bytes.
  return bytes.toString('base64url') === digits.replaceAll('+', '-').replaceAll('/', '_') ? bytes : undefined;
}

/** A public key, and the algorithm for which it was registered. */
export interface VerifyingKey {
  readonly algorithm: KeyAlgorithm;
  readonly key: KeyObject;
}

const PUBLIC_PEM = /^-----BEGIN PUBLIC KEY-----\r?\n[A-Za-z0-9+/=\r\n]+-----END PUBLIC KEY-----\s*$/;

/**
 * Reads the PEM of an SPKI (RFC 7468, section 13). Answers why it is refused, as text, if it is no public key of the
 * algorithm. A private key is refused before anything parses it: Node would derive its public key and accept it.
 */
export function readPublicKey(pem: string, algorithm: KeyAlgorithm): VerifyingKey | string {
  if (/PRIVATE KEY/.test(pem)) return 'is a private key: it must not leave its owner, who should replace it now';
  if (!PUBLIC_PEM.test(pem)) return 'needs the PEM of one public key: -----BEGIN PUBLIC KEY-----';
  const key = parsed(pem);
  if (key === undefined) return 'cannot be read as a public key';
  return algorithmOf(key) === algorithm ? { algorithm, key } : `is no key for ${algorithm}`;
}

/** The algorithm of the public key in a PEM. Undefined if it is no public key that a publisher can have. */
export const algorithmOfPem = (pem: string): KeyAlgorithm | undefined =>
  KeyAlgorithm.options.find((algorithm) => typeof readPublicKey(pem, algorithm) !== 'string');

/** The one spelling of a public key: the PEM of its SPKI as Node writes it. */
export const pemOf = ({ key }: VerifyingKey): string => key.export({ type: 'spki', format: 'pem' }).toString();

function parsed(pem: string): KeyObject | undefined {
  try {
    return createPublicKey(pem);
  } catch {
    return undefined;
  }
}

function algorithmOf(key: KeyObject): KeyAlgorithm | undefined {
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519';
  const isP256 = key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  return isP256 ? 'ecdsa-p256' : undefined;
}

/**
 * Whether a key made a signature over an encoded payload: pure Ed25519 (RFC 8032), or ECDSA with SHA-256 whose signature
 * is the DER of RFC 3279, section 2.2.3, as other implementations of DSSE write it.
 */
export function isSignedBy({ algorithm, key }: VerifyingKey, encoded: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(algorithm === 'ed25519' ? null : 'sha256', encoded, key, signature);
  } catch {
    return false;
  }
}
