import { openCheckpoint, parseCheckpoint, type SignedCheckpoint } from '../transparency/checkpoint.js';
import { parseHash, sameHash, type Hash } from '../transparency/hash.js';
import type { NoteVerifier } from '../transparency/note.js';
import { verifyConsistency } from '../transparency/proofs.js';
import type { Findings } from './verdict.js';

/** A checkpoint that a witness kept: the name of its file, and its text. */
export interface WitnessNote {
  readonly name: string;
  readonly note: string;
}

/** The checkpoints that the reader trusts, and a proof that leads from one of them to that of the bundle, or back. */
export interface Witness {
  readonly notes: readonly WitnessNote[];
  /** Hashes in base64, as `GET /v1/audit/consistency` answers them. */
  readonly consistency?: readonly string[];
}

interface Seen {
  readonly name: string;
  readonly head: SignedCheckpoint;
}

const WHERE = '/checkpoint';

/**
 * Checks that the checkpoint of a bundle is one of the log that the witness saw. `key` is the key of the log that signed
 * the checkpoint. Checkpoints of other logs, which a restored log is too, say nothing of it.
 */
export function checkWitness(
  checkpoint: SignedCheckpoint,
  key: NoteVerifier,
  { notes, consistency }: Witness,
  findings: Findings,
): void {
  const seen = seenOf(checkpoint.origin, key, notes, findings);
  if (seen === undefined) return;
  const same = seen.find(({ head }) => head.size === checkpoint.size);
  if (same !== undefined) return compare(same, checkpoint, findings);
  if (seen.length === 0) return findings.gap(`the witness has no checkpoint of ${checkpoint.origin}`);
  if (consistency === undefined) return findings.gap(missingProof(seen, checkpoint.size));
  const path = consistency.map(parseHash);
  const proven = path.every((hash) => hash !== undefined)
    ? seen.find(({ head }) => isContinued(head, checkpoint, path))
    : undefined;
  if (proven === undefined)
    return findings.fault('--consistency', 'leads from no checkpoint of the witness to that of the bundle, nor back');
  findings.checked.push(
    `its log is the one that the witness saw: a proof leads to ${proven.name}, with ${proven.head.size} leaves`,
  );
}

/** The checkpoints of this log. Undefined if another key signed one of them. */
function seenOf(
  origin: string,
  key: NoteVerifier,
  notes: readonly WitnessNote[],
  findings: Findings,
): Seen[] | undefined {
  const seen: Seen[] = [];
  for (const { name, note } of notes) {
    const read = parseCheckpoint(note);
    if (!read.ok) findings.gap(`${name} of the witness cannot be used: ${read.error}`);
    else if (read.value.origin === origin) {
      if (!openCheckpoint(note, key).ok)
        return findings.fault(WHERE, `the witness has ${name} of this log, and another key signed it`);
      seen.push({ name, head: read.value });
    }
  }
  return seen.sort((a, b) => a.head.size - b.head.size);
}

function compare({ name, head }: Seen, { size, root }: SignedCheckpoint, findings: Findings): void {
  if (sameHash(head.root, root)) findings.checked.push(`the witness saw this checkpoint (${name})`);
  else findings.fault(WHERE, `the witness saw another log: ${name} has another root at ${size} leaves`);
}

const isContinued = (one: SignedCheckpoint, other: SignedCheckpoint, path: readonly Hash[]): boolean =>
  one.size < other.size ? verifyConsistency(one, other, path) : verifyConsistency(other, one, path);

function missingProof(seen: readonly Seen[], size: number): string {
  const near = seen.findLast(({ head }) => head.size < size) ?? seen[0];
  const [from, to] = [size, near?.head.size ?? 0].sort((a, b) => a - b);
  return (
    `the witness has ${seen.length} checkpoints of this log, and none with ${size} leaves: the answer of ` +
    `/v1/audit/consistency?from=${from}&to=${to} would prove that it is the same log (give --consistency)`
  );
}
