import { incarnationIn } from '../backup/incarnation.js';
import { families } from '../streams/catalogue.js';
import { hashText } from '../transparency/hash.js';
import type { NoteVerifier } from '../transparency/note.js';
import { parseCheckpoint } from '../transparency/checkpoint.js';
import { SealFault } from './fault.js';
import { checkpointOfSize, lastCheckpoint, lastRestore, restoredAfter, sizeBefore, type SealLog } from './seal-log.js';
import { LEAF_CATEGORIES } from './sealer.js';
import { readWitnessed, witnessedHead, witnessNames, type Witnessed } from './witness.js';

type Log = Pick<SealLog, 'stream' | 'head' | 'all'>;

const LOG = families.log.stream();

/** The result of a comparison: how many checkpoints agree, and one line if the witness is new or the log was restored. */
export interface Compared {
  readonly agreeing: number;
  /** Checkpoints that the log need not have, because it was restored. */
  readonly lacking: { readonly checkpoints: number; readonly leaves: number };
  readonly notice: string | undefined;
}

/**
 * Compares a log with its witness. `incarnation` is that of the log. A log that is behind, or differs, is one that was
 * rolled back or rewritten: throws `SealFault`. A restored log is behind by right: its `LogRestored` names the backup, is
 * itself a leaf, and changes the origin, so the restore can never be hidden. The events before it are those of the backup, so
 * each checkpoint up to the last one of the backup must still agree. Only the place of `LogRestored` counts: its data may be forged.
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
  if (newest === undefined) {
    const isNew = lastCheckpoint(log) !== undefined;
    return {
      agreeing: 0,
      lacking: { checkpoints: 0, leaves: 0 },
      notice: isNew ? `the witness ${folder} is new: it has no checkpoint of this log` : undefined,
    };
  }
  const read = (name: string): Witnessed => {
    const found = readWitnessed(folder, name, keyOf);
    if (found.fault !== undefined) throw new SealFault(`the witness ${folder}: ${name}: ${found.fault}`);
    return found;
  };
  const last = read(newest);
  const notice = noticeOfRestore(log, folder, last, incarnation);
  const shared = sharedSizes(log);
  const heads = names.map(witnessedHead);
  const comparable = heads.filter(({ incarnation: of, size }) => size <= shared(of));
  const lacked = heads.filter(({ incarnation: of, size }) => size > shared(of));
  const leaves = lacked.reduce((most, { incarnation: of, size }) => Math.max(most, size - shared(of)), 0);
  const recent = comparable.slice(Math.max(0, comparable.length - most));
  for (const { name } of recent) compareOne(log, folder, name === newest ? last : read(name));
  return { agreeing: recent.length, lacking: { checkpoints: lacked.length, leaves }, notice };
}

/**
 * The size up to which the log must have the tree of an incarnation; 0 if it never was of that incarnation. The witness then saw a
 * log that was restored from an older backup, and that this one does not continue.
 */
function sharedSizes(log: Log): (incarnation: number) => number {
  const own = incarnationsOf(log);
  const found = new Map<number, number>();
  return (incarnation) => {
    if (!own.has(incarnation)) return 0;
    const known = found.get(incarnation);
    if (known !== undefined) return known;
    const restore = restoredAfter(log, incarnation);
    const size = restore === undefined ? Infinity : sizeBefore(log, restore);
    found.set(incarnation, size);
    return size;
  };
}

/** The incarnations that the log has had: of its beginning, and of each restore. */
function incarnationsOf(log: Log): ReadonlySet<number> {
  const [first] = log.all(0, LEAF_CATEGORIES, 1);
  const restores = log.stream(LOG, 0, log.head(LOG));
  return new Set(
    [first?.json, ...restores.map(({ json }) => json)].map((json, at) => {
      return at === 0 ? incarnationIn(json, undefined) : incarnationIn(undefined, json);
    }),
  );
}

function noticeOfRestore(log: Log, folder: string, last: Witnessed, incarnation: number): string | undefined {
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

function compareOne(log: Log, folder: string, { size, root, name }: Witnessed): void {
  const own = checkpointOfSize(log, size);
  if (own !== undefined && own.root === root && rootInNote(own.note) === root) return;
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
