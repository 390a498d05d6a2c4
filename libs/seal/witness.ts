import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCheckpoint, parseCheckpoint } from '../transparency/checkpoint.js';
import { hashText } from '../transparency/hash.js';
import type { NoteVerifier } from '../transparency/note.js';
import { syncPath } from '../sqlite-file/sync-path.js';

/** Checkpoints that the folder keeps; the oldest goes first. */
export const MAX_WITNESSED = 1_024;

const NAME = /^(\d{12})-(\d{16})\.checkpoint$/;
const MAX_BYTES = 8_192;

/** A checkpoint in the folder. Files of a later incarnation come after those of an earlier one. */
export interface Witnessed {
  readonly name: string;
  readonly incarnation: number;
  readonly size: number;
  readonly root: string;
  /** Why the checkpoint proves nothing: a signature of another key, or another form. */
  readonly fault: string | undefined;
}

/**
 * A second place for checkpoints: a folder on another disk or machine. An attacker who rolls the data folder back, or signs
 * another history with its key, cannot do the same here.
 */
export class WitnessFolder {
  private readonly names: string[];

  /** The folder has to be there. Throws the errors of the file system. */
  constructor(private readonly folder: string) {
    this.names = witnessNames(folder);
  }

  /** Keeps a checkpoint durably, in one step. */
  write(incarnation: number, size: number, note: string): void {
    const name = `${String(incarnation).padStart(12, '0')}-${String(size).padStart(16, '0')}.checkpoint`;
    if (this.names.at(-1) === name) return;
    const draft = join(this.folder, `.${randomUUID()}.new`);
    writeFileSync(draft, note, { flag: 'wx', mode: 0o600, flush: true });
    renameSync(draft, join(this.folder, name));
    syncPath(this.folder);
    this.names.push(name);
    while (this.names.length > MAX_WITNESSED) rmSync(join(this.folder, this.names.shift() ?? ''), { force: true });
  }
}

/** The names of the checkpoints in a folder, in their order. Other files are not ours. Throws the errors of the file system. */
export const witnessNames = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => NAME.test(name))
    .sort();

/** The incarnation and size in the name of a checkpoint. */
export function witnessedHead(name: string): Pick<Witnessed, 'name' | 'incarnation' | 'size'> {
  const [, incarnation = '0', size = '0'] = NAME.exec(name) ?? [];
  return { name, incarnation: Number(incarnation), size: Number(size) };
}

/** Reads a checkpoint of the folder. `keyOf` gives the key of the log for the origin that the checkpoint names. */
export function readWitnessed(folder: string, name: string, keyOf: (origin: string) => NoteVerifier): Witnessed {
  const head = witnessedHead(name);
  const unread = (fault: string): Witnessed => ({ ...head, root: '', fault });
  const text = readFileSync(join(folder, name), 'utf8');
  if (text.length > MAX_BYTES) return unread('the checkpoint is too large');
  const parsed = parseCheckpoint(text);
  if (!parsed.ok) return unread(parsed.error);
  const opened = openCheckpoint(text, keyOf(parsed.value.origin));
  if (!opened.ok) return unread(opened.error);
  if (opened.value.size !== head.size) return unread('the checkpoint has another size than its name');
  return { ...unread(''), root: hashText(opened.value.root), fault: undefined };
}
