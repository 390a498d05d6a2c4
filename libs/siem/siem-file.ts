import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  fchmodSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  writeSync,
  type Stats,
} from 'node:fs';

/** Above this size, the file is rotated before the next line. */
export const MAX_FILE_BYTES = 67_108_864;
/** Rotated files that are kept: `<file>.1` is the newest of them. */
export const KEPT_FILES = 8;
const MODE = 0o600;
/** The end of a line is looked for in pieces of this size, backwards from the end of the file. */
const PIECE_BYTES = 65_536;
const NEWLINE = 0x0a;

/** The path of the file is something else: a folder, a pipe or a device. */
export class NoRegularFile extends Error {
  override readonly name = 'NO_REGULAR_FILE';
}

/** The path of the file is something that others wrote: nothing of it is changed. */
export class ForeignFile extends Error {
  override readonly name = 'FOREIGN_FILE';
}

/**
 * A file of JSON lines for a forwarder. It is opened when lines are written, and again if it was moved away or removed.
 * All lines of one `append` are in it, or none of them. Throws the errors of the file system.
 */
export class SiemFile {
  private fd: number | undefined;
  private bytes = 0;
  private isDirty = false;

  constructor(
    private readonly path: string,
    /** The first characters of every line, in ASCII: a file that begins otherwise is refused. */
    private readonly begin: string,
    private readonly maxBytes = MAX_FILE_BYTES,
  ) {}

  /** Appends lines. Each needs its newline. A line that exceeds the size of a file is a file by itself. */
  append(lines: readonly string[]): void {
    this.open();
    let page = '';
    let pageBytes = 0;
    const flush = (): void => {
      if (page !== '') this.write(page);
      page = '';
      pageBytes = 0;
    };
    for (const line of lines) {
      const bytes = Buffer.byteLength(line);
      if (this.bytes + pageBytes + bytes > this.maxBytes) flush();
      page += line;
      pageBytes += bytes;
    }
    flush();
  }

  /** Returns once everything that was appended is durable. */
  sync(): void {
    if (!this.isDirty || this.fd === undefined) return;
    fdatasyncSync(this.fd);
    this.isDirty = false;
  }

  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }

  private write(text: string): void {
    const page = Buffer.from(text);
    let { fd, bytes } = this.open();
    if (bytes > 0 && bytes + page.length > this.maxBytes) {
      this.rotate();
      ({ fd, bytes } = this.open());
    }
    try {
      for (let written = 0; written < page.length;) written += writeSync(fd, page, written);
    } catch (error) {
      // A full disk may have taken a part. The lines come again.
      ftruncateSync(fd, bytes);
      throw error;
    }
    this.bytes = bytes + page.length;
    this.isDirty = true;
  }

  private open(): { readonly fd: number; readonly bytes: number } {
    if (this.fd !== undefined && !this.isSame(fstatSync(this.fd))) this.leave();
    if (this.fd === undefined) {
      const { O_APPEND, O_CREAT, O_RDWR, O_NONBLOCK } = constants;
      // Without `O_NONBLOCK`, a pipe would hold the thread until somebody reads it.
      const fd = openSync(this.path, O_APPEND | O_CREAT | O_RDWR | O_NONBLOCK, MODE);
      try {
        this.bytes = readied(fd, this.begin);
      } catch (error) {
        closeSync(fd);
        throw error;
      }
      this.fd = fd;
    }
    return { fd: this.fd, bytes: this.bytes };
  }

  /** Whether the path still leads to the open file: a program may have moved it away to rotate it. */
  private isSame(opened: Stats): boolean {
    const found = statSync(this.path, { throwIfNoEntry: false });
    return found?.ino === opened.ino && found.dev === opened.dev;
  }

  private rotate(): void {
    this.leave();
    for (let age = KEPT_FILES - 1; age >= 0; age -= 1) {
      const from = age === 0 ? this.path : `${this.path}.${age}`;
      if (statSync(from, { throwIfNoEntry: false }) !== undefined) renameSync(from, `${this.path}.${age + 1}`);
    }
  }

  /** Another file follows: the lines in this one must not depend on a later `sync`. */
  private leave(): void {
    this.sync();
    this.close();
  }
}

/** Checks an opened file, and cuts off a line without an end, of a process that was killed. Returns the size. */
function readied(fd: number, begin: string): number {
  const stats = fstatSync(fd);
  if (!stats.isFile()) throw new NoRegularFile('the path is no regular file');
  const first = Buffer.alloc(begin.length);
  // A process may have been killed within the first characters of the first line.
  if (!begin.startsWith(first.toString('latin1', 0, readSync(fd, first, 0, first.length, 0))))
    throw new ForeignFile('the file has something else in it');
  if ((stats.mode & 0o777) !== MODE) fchmodSync(fd, MODE);
  const end = endOfLastLine(fd, stats.size);
  if (end < stats.size) ftruncateSync(fd, end);
  return end;
}

function endOfLastLine(fd: number, size: number): number {
  const piece = Buffer.alloc(PIECE_BYTES);
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - PIECE_BYTES);
    const read = readSync(fd, piece, 0, end - start, start);
    const at = piece.subarray(0, read).lastIndexOf(NEWLINE);
    if (at >= 0) return start + at + 1;
    end = start;
  }
  return 0;
}
