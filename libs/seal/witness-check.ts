import { hashText } from '../transparency/hash.js';
import type { NoteVerifier } from '../transparency/note.js';
import { parseCheckpoint } from '../transparency/checkpoint.js';
import { SealFault } from './fault.js';
import { checkpointOfSize, lastCheckpoint, lastRestore, type SealLog } from './seal-log.js';
import { readWitnessed, witnessNames, type Witnessed } from './witness.js';

type Log = Pick<SealLog, 'stream' | 'head'>;

/** The result of a comparison: how many checkpoints agree, and whether the log was restored after the last of them. */
export interface Compared {
  readonly agreeing: number;
  readonly restored: string | undefined;
}

/**
 * Compares a log with its witness. `incarnation` is that of the log. A log that is behind, or differs, is one that was
 * rolled back or rewritten: throws `SealFault`. A restored log is behind by right: its `LogRestored` names the backup, is
 * itself a leaf, and changes the origin, so the restore can never be hidden. Then only checkpoints up to the backup are
 * compared.
 */
export function compareWitness(
  log: Log,
  folder: string,
  incarnation: number,
  keyOf: (origin: string) => NoteVerifier,
  most = Infinity,
): Compared {
  const names = witnessNames(folder);
  const newest = names.at(-1);
  if (newest === undefined) return { agreeing: 0, restored: undefined };
  const read = (name: string): Witnessed => {
    const found = readWitnessed(folder, name, keyOf);
    if (found.fault !== undefined) throw new SealFault(`the witness ${folder}: ${name}: ${found.fault}`);
    return found;
  };
  const last = read(newest);
  const restored = restoredAfter(log, folder, last, incarnation);
  const recent = names.slice(Math.max(0, names.length - most)).map((name) => (name === newest ? last : read(name)));
  let agreeing = 0;
  for (const witnessed of recent) if (compareOne(log, folder, witnessed, incarnation)) agreeing += 1;
  return { agreeing, restored };
}

function restoredAfter(log: Log, folder: string, last: Witnessed, incarnation: number): string | undefined {
  if (last.incarnation === incarnation) return undefined;
  if (last.incarnation > incarnation)
    throw new SealFault(
      `the log is behind its witness ${folder}: it is of incarnation ${incarnation}, and the witness saw ${last.incarnation}`,
    );
  const restore = lastRestore(log);
  if (restore === undefined)
    throw new SealFault(`the witness ${folder} saw another log: this one was never restored from it`);
  return `the log was restored from a backup of ${restore.backupAt}: its witness saw ${last.size} leaves of the log before`;
}

/** Whether the log has the checkpoint. False if the checkpoint is of the lost part of a restored log. */
function compareOne(
  log: Log,
  folder: string,
  { size, root, name, incarnation: of }: Witnessed,
  incarnation: number,
): boolean {
  const own = checkpointOfSize(log, size);
  if (own !== undefined && own.root === root && rootInNote(own.note) === root) return true;
  if (of !== incarnation) return false;
  const head = lastCheckpoint(log)?.size ?? 0;
  if (head < size)
    throw new SealFault(
      `the log is behind its witness ${folder}: its last checkpoint has ${head} leaves, and the witness saw ${size}`,
    );
  throw new SealFault(`the log disagrees with its witness ${folder} at ${size} leaves (${name}): it was rewritten`);
}

function rootInNote(note: string): string | undefined {
  const parsed = parseCheckpoint(note);
  return parsed.ok ? hashText(parsed.value.root) : undefined;
}
