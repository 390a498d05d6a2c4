import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { err, ok, type Result } from '../kernel/result.js';
import { parseBase64, sha256 } from './hash.js';

/** A signed note (C2SP signed-note): a text, and signatures of it by named keys. */
export interface Note {
  /** Ends with a newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

export interface NoteSignature {
  readonly name: string;
  /** Four bytes that tell keys of one name apart. */
  readonly keyId: Uint8Array;
  readonly signature: Uint8Array;
}

/** A key that notes are verified with. */
export interface NoteVerifier {
  readonly name: string;
  readonly keyId: Uint8Array;
  readonly publicKey: KeyObject;
}

/** A key that notes are signed with. */
export interface NoteSigner {
  readonly name: string;
  readonly privateKey: KeyObject;
}

const ED25519 = 0x01;
const KEY_ID_BYTES = 4;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** The bounds of Go's sumdb/note. Notes may come from outside. */
const MAX_NOTE_CHARS = 1_000_000;
const MAX_SIGNATURES = 100;
const SIGNATURE_LINE = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/;
const NAME = /^[^\s+]+$/u;

/** Whether a text may name a key: not empty, no white space, no plus sign. */
export const isKeyName = (name: string): boolean => NAME.test(name) && name.isWellFormed() && !CONTROL.test(name);

/** The verifier of an Ed25519 key. Its id is `SHA-256(name || 0x0A || 0x01 || key)[:4]`. Throws `TypeError` for another key. */
export function noteVerifier(name: string, key: KeyObject): NoteVerifier {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const id = sha256(Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(ED25519), rawKey(publicKey)]));
  return { name, keyId: id.subarray(0, KEY_ID_BYTES), publicKey };
}

/** The text form of a verifier: `<name>+<key id in hex>+<base64(0x01 || key)>`. */
export function verifierText({ name, keyId, publicKey }: NoteVerifier): string {
  const key = Buffer.concat([Buffer.of(ED25519), rawKey(publicKey)]).toString('base64');
  return `${name}+${Buffer.from(keyId).toString('hex')}+${key}`;
}

/** Reads `verifierText`. Undefined if it is malformed, its algorithm is not Ed25519, or its id is not that of its key. */
export function parseVerifier(text: string): NoteVerifier | undefined {
  const [name = '', id = '', ...rest] = text.split('+');
  const bytes = parseBase64(rest.join('+'));
  if (!isKeyName(name) || bytes?.byteLength !== 1 + KEY_BYTES || bytes[0] !== ED25519) return undefined;
  const verifier = verifierOfRaw(name, bytes.subarray(1));
  return Buffer.from(verifier.keyId).toString('hex') === id ? verifier : undefined;
}

/** The verifier of the 32 bytes of an Ed25519 key (RFC 8032). */
function verifierOfRaw(name: string, key: Uint8Array): NoteVerifier {
  const x = Buffer.from(key).toString('base64url');
  return noteVerifier(name, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }));
}

/** The 32 bytes of an Ed25519 public key. Throws `TypeError` for a key of another kind. */
export function rawKey(key: KeyObject): Buffer {
  const { crv, x = '' } = key.export({ format: 'jwk' });
  if (crv !== 'Ed25519') throw new TypeError('expected an Ed25519 key');
  return Buffer.from(x, 'base64url');
}

/** Signs a text. Throws `TypeError` if the text cannot be a note, or a name cannot be that of a key. */
export function signNote(text: string, signers: readonly NoteSigner[]): string {
  if (!isNoteText(text)) throw new TypeError('the text cannot be that of a note');
  return withSignatures(
    text,
    signers.map(({ name, privateKey }) => {
      if (!isKeyName(name)) throw new TypeError('the name cannot be that of a key');
      const signature = sign(null, Buffer.from(text), privateKey);
      return { name, keyId: noteVerifier(name, privateKey).keyId, signature };
    }),
  );
}

/** A note as text. */
export function withSignatures(text: string, signatures: readonly NoteSignature[]): string {
  const lines = signatures.map(
    ({ name, keyId, signature }) => `— ${name} ${Buffer.concat([keyId, signature]).toString('base64')}\n`,
  );
  return `${text}\n${lines.join('')}`;
}

/** Reads a note strictly. No signature has been verified. The error is one phrase, and quotes nothing. */
export function parseNote(note: string): Result<Note, string> {
  if (note.length > MAX_NOTE_CHARS) return err('the note is too large');
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) return err('the note has no signatures');
  const text = note.slice(0, end + 1);
  if (!isNoteText(text)) return err('the note has a text of another form');
  const lines = note.slice(end + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURES) return err('the note has too many signatures');
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const [, name = '', base64 = ''] = SIGNATURE_LINE.exec(line) ?? [];
    const bytes = parseBase64(base64);
    if (!isKeyName(name) || bytes === undefined || bytes.byteLength <= KEY_ID_BYTES)
      return err('the note has a signature line of another form');
    signatures.push({ name, keyId: bytes.subarray(0, KEY_ID_BYTES), signature: bytes.subarray(KEY_ID_BYTES) });
  }
  return ok({ text, signatures });
}

/**
 * The verifiers whose signatures a note has. Signatures of other keys say nothing, and are left out. A wrong signature
 * under a name and id that is known makes the note an error.
 */
export function verifiedBy(note: Note, verifiers: readonly NoteVerifier[]): Result<readonly NoteVerifier[], string> {
  const found = new Set<NoteVerifier>();
  for (const { name, keyId, signature } of note.signatures) {
    const verifier = verifiers.find((each) => each.name === name && Buffer.compare(each.keyId, keyId) === 0);
    if (verifier === undefined) continue;
    if (
      signature.byteLength !== SIGNATURE_BYTES ||
      !verify(null, Buffer.from(note.text), verifier.publicKey, signature)
    )
      return err('a signature of the note is wrong');
    found.add(verifier);
  }
  return ok([...found]);
}

/** A line at least, no control characters but newlines, and well-formed, so that its UTF-8 is the same for everybody. */
const isNoteText = (text: string): boolean => text.endsWith('\n') && text.isWellFormed() && !CONTROL.test(text);
