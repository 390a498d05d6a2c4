import { statSync } from 'node:fs';

/** The path leads to no file, or to another one than the process has open. */
export class FileGone extends Error {
  /** Shown to operators as a code. */
  override readonly name = 'FILE_GONE';
}

type Identity = readonly [device: bigint, inode: bigint];

/**
 * Knows whether the path of an open database still leads to it. A file that was removed, renamed or replaced under the
 * process takes writes as before, and loses them with the process. Its memory is shared, so that a thread that starts
 * again does not take another file for its own.
 */
export class PlaceGuard {
  private readonly known: BigUint64Array<SharedArrayBuffer>;
  private wal: Identity | undefined;
  private isWalLost = false;

  /** `memory` is of `placeMemory`; all threads that open the file in turn share it. */
  constructor(
    private readonly path: string,
    memory: SharedArrayBuffer,
  ) {
    this.known = new BigUint64Array(memory);
  }

  /** Call this before the file is opened again: opening would make a new file where the old one was. Throws `FileGone`. */
  beforeOpening(): void {
    if (this.known[1] !== 0n) this.assertFile();
  }

  /** Call this right after the file was opened, and has taken a transaction. */
  opened(): void {
    const found = identityOf(this.path);
    if (found !== undefined && this.known[1] === 0n) this.known.set(found);
    this.wal = identityOf(`${this.path}-wal`);
  }

  /** Call this between a commit and its answer. Throws `FileGone`. */
  assertThere(): void {
    this.assertFile();
    const found = identityOf(`${this.path}-wal`);
    this.wal ??= found;
    // Connections that share the other half of the old write-ahead log must not write a new one.
    if (this.wal !== undefined && !isSame(found, this.wal)) this.isWalLost = true;
    if (this.isWalLost) throw new FileGone('the write-ahead log of the database was removed or replaced');
  }

  private assertFile(): void {
    const [device = 0n, inode = 0n] = this.known;
    if (this.isWalLost || !isSame(identityOf(this.path), [device, inode])) {
      throw new FileGone('the database file was removed, renamed or replaced');
    }
  }
}

/** Memory of a file that no thread has opened yet. */
export const placeMemory = (): SharedArrayBuffer => new SharedArrayBuffer(2 * BigUint64Array.BYTES_PER_ELEMENT);

function identityOf(path: string): Identity | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && [found.dev, found.ino];
}

const isSame = (one: Identity | undefined, other: Identity): boolean => one?.[0] === other[0] && one[1] === other[1];
