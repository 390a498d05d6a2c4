import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { defined } from '../../../libs/kernel/defined.js';
import { within } from '../../../libs/kernel/within.js';
import { KeyringUnavailable, type Keyring } from '../../../libs/payloads/keyring.js';

/** A disk that hangs must not hold up the line about it. */
const STATFS_MS = 1_000;
/** The shortest time between two lines about one file. An almost full disk takes small writes and refuses others. */
const TELL_EVERY_MS = 10_000;
/** The code of the system or of SQLite in a message of the keyring. */
const CODE = /\b(?:SQLITE_[A-Z]+|FILE_GONE|E[A-Z]{2,})\b/;

/** A file that cannot be written now. */
export interface DiskTrouble {
  /** `SQLITE_FULL` (no space), `FILE_GONE` (removed or replaced), `SQLITE_IOERR`, or another code of SQLite or the system. */
  readonly cause: string;
  readonly path: string;
  /** Bytes that the service may still write on that file system. Undefined if the system does not say. */
  readonly freeBytes?: number;
}

export interface DiskNotices {
  onTrouble(trouble: DiskTrouble): void;
  onRecovered(recovered: { readonly path: string; readonly lastedMs: number }): void;
}

interface Known extends DiskTrouble {
  readonly sinceMs: number;
  readonly isTold: boolean;
}

/** Bytes that the service may still write on the file system of a file; undefined if the system does not say. */
export async function freeBytesAt(file: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await within(STATFS_MS, 'statfs', statfs(dirname(file)));
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

/** Knows which files cannot be written. Tells each trouble once, and once that it is over. */
export class DiskWatch {
  private readonly troubles = new Map<string, Known>();
  private readonly toldAtMs = new Map<string, number>();

  constructor(
    private readonly notices: DiskNotices,
    private readonly nowMs: () => number,
  ) {}

  /** The trouble of one file; the log's, if several have one. */
  get current(): DiskTrouble | undefined {
    const [known] = this.troubles.values();
    if (known === undefined) return undefined;
    const { cause, path, freeBytes } = known;
    return defined({ cause, path, freeBytes });
  }

  /** A write failed. */
  failed(path: string, cause: string): void {
    const known = this.troubles.get(path);
    // The line about a trouble waits until one is due. Each further failure asks again.
    if (known?.cause === cause && known.isTold) return;
    const trouble: Known = { cause, path, sinceMs: known?.sinceMs ?? this.nowMs(), isTold: known?.isTold ?? false };
    this.troubles.set(path, trouble);
    void freeBytesAt(path).then((freeBytes) => this.tell(trouble, freeBytes));
  }

  /** A write succeeded. */
  worked(path: string): void {
    const known = this.troubles.get(path);
    if (known === undefined) return;
    this.troubles.delete(path);
    if (known.isTold) this.notices.onRecovered({ path, lastedMs: Math.round(this.nowMs() - known.sinceMs) });
  }

  private tell(trouble: Known, freeBytes: number | undefined): void {
    const { path, cause } = trouble;
    // It may be over already, or another one by now.
    if (this.troubles.get(path) !== trouble) return;
    const toldAtMs = this.toldAtMs.get(path) ?? -TELL_EVERY_MS;
    const isDue = this.nowMs() - toldAtMs >= TELL_EVERY_MS;
    this.troubles.set(path, defined({ ...trouble, freeBytes, isTold: trouble.isTold || isDue }));
    if (!isDue) return;
    this.toldAtMs.set(path, this.nowMs());
    this.notices.onTrouble(defined({ cause, path, freeBytes }));
  }
}

/** The same keyring, whose failed writes the watch hears of. */
export function watchedKeyring(keyring: Keyring, file: string, disk: DiskWatch): Keyring {
  const watched = async <Value>(work: Promise<Value>): Promise<Value> => {
    try {
      const value = await work;
      disk.worked(file);
      return value;
    } catch (error) {
      const code = error instanceof KeyringUnavailable ? CODE.exec(error.message)?.[0] : undefined;
      if (code !== undefined) disk.failed(file, code);
      throw error;
    }
  };
  return {
    create: (taskId, userId) => watched(keyring.create(taskId, userId)),
    get: (taskId) => keyring.get(taskId),
    shred: (...taskIds) => watched(keyring.shred(...taskIds)),
    condemn: (...taskIds) => watched(keyring.condemn(...taskIds)),
    spare: (...taskIds) => watched(keyring.spare(...taskIds)),
    condemned: () => keyring.condemned(),
    pseudonymOf: (userId) => watched(keyring.pseudonymOf(userId)),
    knownPseudonym: (userId) => keyring.knownPseudonym(userId),
    userOf: (pseudonym) => keyring.userOf(pseudonym),
    holdsUser: (pseudonym) => keyring.holdsUser(pseudonym),
    eraseUser: (pseudonym) => watched(keyring.eraseUser(pseudonym)),
    close: () => keyring.close(),
  };
}
