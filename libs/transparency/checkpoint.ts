import { err, ok, type Result } from '../kernel/result.js';
import { hashText, parseHash, type Hash } from './hash.js';
import { isKeyName, parseNote, signNote, verifiedBy, type Note, type NoteSigner, type NoteVerifier } from './note.js';

/** The statement of a log about its tree at one moment (C2SP tlog-checkpoint). */
export interface Checkpoint {
  /** The name of the log, which is the name of its key too. */
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
  /** Further lines. Sallyport writes none, and nothing depends on them. */
  readonly extensions: readonly string[];
}

/** A checkpoint as it was read, with its signatures. No signature has been verified. */
export interface SignedCheckpoint extends Checkpoint {
  readonly note: Note;
}

const SIZE = /^(0|[1-9]\d{0,15})$/;

export const isOrigin = (text: string): boolean => isKeyName(text);

/** The text that is signed. Throws `TypeError` if the origin has another form. */
export function checkpointText({ origin, size, root }: Omit<Checkpoint, 'extensions'>): string {
  if (!isOrigin(origin)) throw new TypeError('the origin has another form');
  return `${origin}\n${size}\n${hashText(root)}\n`;
}

/** Signs a checkpoint with the key of its log, whose name is the origin. */
export const signCheckpoint = (
  checkpoint: Omit<Checkpoint, 'extensions'>,
  privateKey: NoteSigner['privateKey'],
): string => signNote(checkpointText(checkpoint), [{ name: checkpoint.origin, privateKey }]);

/** Reads a checkpoint strictly. No signature has been verified. The error is one phrase, and quotes nothing. */
export function parseCheckpoint(text: string): Result<SignedCheckpoint, string> {
  const note = parseNote(text);
  if (!note.ok) return note;
  const [origin = '', sizeText = '', rootText = '', ...extensions] = note.value.text.slice(0, -1).split('\n');
  const size = SIZE.test(sizeText) ? Number(sizeText) : NaN;
  const root = parseHash(rootText);
  if (!isOrigin(origin)) return err('the checkpoint has an origin of another form');
  if (!Number.isSafeInteger(size)) return err('the checkpoint has a size of another form');
  if (root === undefined) return err('the checkpoint has a root of another form');
  if (extensions.includes('')) return err('the checkpoint has an empty line');
  return ok({ origin, size, root, extensions, note: note.value });
}

/** Reads a checkpoint, and checks that it is of this log and that this key signed it. */
export function openCheckpoint(text: string, verifier: NoteVerifier): Result<SignedCheckpoint, string> {
  const checkpoint = parseCheckpoint(text);
  if (!checkpoint.ok) return checkpoint;
  if (checkpoint.value.origin !== verifier.name) return err('the checkpoint is of another log');
  const signers = verifiedBy(checkpoint.value.note, [verifier]);
  if (!signers.ok) return err('the signature of the checkpoint is wrong');
  return signers.value.length > 0 ? checkpoint : err('the checkpoint was signed by another key');
}
