import { err, ok, type Result } from '../kernel/result.js';
import { parseCheckpoint, type SignedCheckpoint } from './checkpoint.js';
import { hashText, leafHash, parseBase64, parseHash, type Hash } from './hash.js';
import { MAX_PROOF_HASHES, verifyInclusion } from './proofs.js';

/** A proof that a leaf is in a log, for readers without a connection to it (C2SP tlog-proof). */
export interface TlogProof {
  readonly index: number;
  readonly hashes: readonly Hash[];
  /** The signed checkpoint, as text. */
  readonly checkpoint: string;
  /** Further bytes, which nothing authenticates. */
  readonly extra?: Uint8Array;
}

const HEADER = 'c2sp.org/tlog-proof@v1';
const EXTRA = 'extra ';
const INDEX = /^index (0|[1-9]\d{0,15})$/;

/** The text of a proof. */
export function tlogProofText({ index, hashes, checkpoint, extra }: TlogProof): string {
  const extraLine = extra === undefined ? '' : `${EXTRA}${Buffer.from(extra).toString('base64')}\n`;
  const lines = hashes.map((hash) => `${hashText(hash)}\n`).join('');
  return `${HEADER}\n${extraLine}index ${index}\n${lines}\n${checkpoint}`;
}

/** Reads a proof strictly. Neither its path nor its signature has been verified. */
export function parseTlogProof(text: string): Result<TlogProof & { readonly head: SignedCheckpoint }, string> {
  const end = text.indexOf('\n\n');
  const lines = (end < 0 ? text : text.slice(0, end)).split('\n');
  if (end < 0 || lines.shift() !== HEADER) return err('the proof has another format');
  const extraText = lines[0]?.startsWith(EXTRA) === true ? lines.shift()?.slice(EXTRA.length) : undefined;
  const extra = extraText === undefined ? undefined : parseBase64(extraText);
  if (extraText !== undefined && extra === undefined) return err('the proof has an extra line of another form');
  const index = Number(INDEX.exec(lines.shift() ?? '')?.[1] ?? NaN);
  if (!Number.isSafeInteger(index)) return err('the proof has an index of another form');
  if (lines.length > MAX_PROOF_HASHES) return err('the proof has too many hashes');
  const hashes: Hash[] = [];
  for (const line of lines) {
    const hash = parseHash(line);
    if (hash === undefined) return err('the proof has a hash of another form');
    hashes.push(hash);
  }
  const checkpoint = text.slice(end + 2);
  const head = parseCheckpoint(checkpoint);
  if (!head.ok) return head;
  return ok({ index, hashes, checkpoint, head: head.value, ...(extra === undefined ? {} : { extra }) });
}

/** Whether a proof leads from the data of a leaf to the root of its checkpoint. The signature is not looked at. */
export const provesLeaf = (
  data: string | Uint8Array,
  { index, hashes, head }: { index: number; hashes: readonly Hash[]; head: { size: number; root: Hash } },
): boolean => verifyInclusion(leafHash(data), index, head, hashes);
