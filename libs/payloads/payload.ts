import { createCipheriv, createDecipheriv } from 'node:crypto';
import { canonicalJson, ownValue, type Json } from '../kernel/canonical-json.js';
import { commitmentTo, digestOfBytes, type Digest, type SecretKey } from '../kernel/digest.js';
import { err, ok, type Result } from '../kernel/result.js';
import { freshRandom } from './random.js';

/**
 * A payload record: content of an event that is kept outside of it, encrypted under the key of its task.
 *
 * version (1 byte) | nonce (12) | AES-256-GCM ciphertext | tag (16)
 *
 * The ciphertext is JSON, `[[name, salt in base64, value], …]`. The version and the record's place are authenticated
 * with it (RFC 5116 associated data), so a record that was moved to another event does not open.
 */
const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SALT_BYTES = 32;
/** Of the text of one record, in UTF-16 units: a response of 8 MiB and its surroundings. */
const MAX_CHARS = 33_554_432;

/** The content of one record exceeds the size limit: the request that produced it was too large. */
export class PayloadTooLarge extends RangeError {
  override readonly name = 'PayloadTooLarge';
}

export interface SealedPayload<Name extends string = string> {
  readonly bytes: Uint8Array;
  /** For each part, the commitment that the event holds: `sha256(salt || JCS(part))`. */
  readonly commitments: Record<Name, Digest>;
}

export interface OpenedPayload {
  /** No prototype: names may come from outside. */
  readonly parts: Readonly<Record<string, Json>>;
  readonly salts: Readonly<Record<string, Uint8Array>>;
}

/**
 * - `unsupported_version`: written by a newer version.
 * - `not_authentic`: another key, another place, or not the bytes that were sealed.
 * - `malformed`: authentic, and still not a payload record.
 */
export type PayloadFault = 'unsupported_version' | 'not_authentic' | 'malformed';

/**
 * Encrypts the parts of a record. `key` is the 32-byte key of a task, `associated` the place of the record (stream and
 * revision of its event). Nonces are random, which is sound for 2^32 records of one task. Throws `PayloadTooLarge`
 * above the size limit.
 */
export function sealPayload<Name extends string>(
  key: SecretKey,
  associated: string,
  parts: Readonly<Record<Name, unknown>>,
): SealedPayload<Name> {
  const commitments = Object.create(null) as Record<Name, Digest>;
  const texts: string[] = [];
  for (const [name, value] of Object.entries(parts) as [Name, unknown][]) {
    const salt = freshRandom(SALT_BYTES);
    const text = canonicalJson(value);
    commitments[name] = commitmentTo(salt, text);
    texts.push(`${headOf(name, salt)}${text}]`);
  }
  const plain = `[${texts.join(',')}]`;
  if (plain.length > MAX_CHARS) throw new PayloadTooLarge('a payload that is too large');
  return { bytes: Buffer.concat(encrypted(key, associated, [plain])), commitments };
}

/** A part of a record that is made before its place is known, and sealed later. */
export interface PayloadPart {
  /** `sha256(salt || JCS(value))`. */
  readonly commitment: Digest;
  /** `[name, salt, value]` as JSON; shared between threads if it is large. */
  readonly bytes: Uint8Array;
  /** The offset of the value in the bytes; the value ends before the last byte. */
  readonly valueAt: number;
}

/** Makes a part of a record out of a value's RFC 8785 form. */
export function payloadPart(name: string, canonicalText: string): PayloadPart {
  const salt = freshRandom(SALT_BYTES);
  const head = headOf(name, salt);
  const bytes = ownBuffer(head.length + Buffer.byteLength(canonicalText) + 1);
  bytes.write(head, 'latin1');
  bytes.write(canonicalText, head.length, 'utf8');
  bytes[bytes.length - 1] = CLOSE_ARRAY;
  const value = bytes.subarray(head.length, bytes.length - 1);
  const commitment = digestOfBytes(Buffer.concat([salt, value]));
  return { commitment, bytes, valueAt: head.length };
}

/** The value of a part, as the text that it was made of. */
export const valueOf = ({ bytes, valueAt }: PayloadPart): Uint8Array => bytes.subarray(valueAt, bytes.length - 1);

/** `sealPayload` for parts that were made before. Throws `PayloadTooLarge`. */
export function sealParts(key: SecretKey, associated: string, parts: readonly PayloadPart[]): Uint8Array {
  refuseLargeParts(parts);
  const plain = parts.flatMap(({ bytes }, index) => [index === 0 ? '[' : ',', bytes]);
  const pieces = encrypted(key, associated, [...plain, ']']);
  const sealed = ownBuffer(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) at += piece.copy(sealed, at);
  return sealed;
}

/** Throws `PayloadTooLarge` if the parts exceed the size of one record. */
export function refuseLargeParts(parts: readonly PayloadPart[]): void {
  if (parts.reduce((sum, { bytes }) => sum + bytes.length, 0) > MAX_CHARS)
    throw new PayloadTooLarge('a payload that is too large');
}

const CLOSE_ARRAY = 0x5d;

/** The beginning of one part: we choose its name, so it needs no escapes. */
const headOf = (name: string, salt: Buffer): string => `[${JSON.stringify(name)},"${salt.toString('base64')}",`;

/** From this size on, bytes are transferred between threads and not copied. */
const SHARED_FROM_BYTES = 65_536;

/** A buffer with memory of its own: transferring shared memory would take the other buffers along. */
const ownBuffer = (bytes: number): Buffer =>
  bytes < SHARED_FROM_BYTES ? Buffer.allocUnsafeSlow(bytes) : Buffer.from(new SharedArrayBuffer(bytes));

function encrypted(key: SecretKey, associated: string, plain: readonly (string | Uint8Array)[]): Buffer[] {
  const nonce = freshRandom(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associatedData(associated));
  const body = plain.map((each) => (typeof each === 'string' ? cipher.update(each, 'utf8') : cipher.update(each)));
  return [Buffer.of(VERSION), nonce, ...body, cipher.final(), cipher.getAuthTag()];
}

/** Decrypts a record; `associated` has to be what it was sealed with. The bytes come from a store and prove nothing. */
export function openPayload(
  key: SecretKey,
  associated: string,
  bytes: Uint8Array,
): Result<OpenedPayload, PayloadFault> {
  if (bytes[0] !== VERSION) return err('unsupported_version');
  const plain = decrypt(key, associated, bytes);
  if (plain === undefined) return err('not_authentic');
  const opened = parsePlain(plain);
  return opened === undefined ? err('malformed') : ok(opened);
}

/**
 * The commitments computed from a record, if they equal those that an event holds: each commitment has its part, each
 * part its commitment. Otherwise undefined: a missing part is as wrong as a changed one.
 */
export function verifyCommitments(
  { parts, salts }: OpenedPayload,
  commitments: Readonly<Record<string, Digest | undefined>>,
): Readonly<Record<string, Digest>> | undefined {
  const names = Object.keys(parts);
  if (names.length !== Object.keys(commitments).length) return undefined;
  const computed = Object.create(null) as Record<string, Digest>;
  for (const name of names) {
    const [part, salt] = [parts[name], salts[name]];
    if (part === undefined || salt === undefined) return undefined;
    const commitment = commitmentTo(salt, canonicalJson(part));
    if (ownValue(commitments, name) !== commitment) return undefined;
    computed[name] = commitment;
  }
  return computed;
}

function parsePlain(plain: string): OpenedPayload | undefined {
  let entries: unknown;
  try {
    entries = JSON.parse(plain);
  } catch {
    return undefined;
  }
  if (!Array.isArray(entries)) return undefined;
  const parts = Object.create(null) as Record<string, Json>;
  const salts = Object.create(null) as Record<string, Uint8Array>;
  for (const entry of entries as readonly unknown[]) {
    if (!Array.isArray(entry)) return undefined;
    const [name, salt, value] = entry as readonly Json[];
    if (typeof name !== 'string' || typeof salt !== 'string' || value === undefined) return undefined;
    parts[name] = value;
    salts[name] = Buffer.from(salt, 'base64');
  }
  return { parts, salts };
}

function decrypt(key: SecretKey, associated: string, bytes: Uint8Array): string | undefined {
  const start = 1 + NONCE_BYTES;
  const end = bytes.byteLength - TAG_BYTES;
  if (end < start) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1, start), { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData(associated));
  decipher.setAuthTag(bytes.subarray(end));
  try {
    const body = decipher.update(bytes.subarray(start, end));
    // Throws if the record is not authentic. GCM is a stream cipher: the whole text has been decrypted already.
    decipher.final();
    return body.toString('utf8');
  } catch {
    return undefined;
  }
}

const associatedData = (associated: string): Buffer =>
  Buffer.from(`sallyport payload ${VERSION}\n${associated}`, 'utf8');
