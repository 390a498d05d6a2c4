import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf as sqliteCodeOf } from '../../../sqlite-file/codes.js';
import { WrongFile } from '../../../sqlite-file/open-file.js';
import { DamagedEvidence, LogUnavailable, type DamagedPlace } from '../../port.js';
import type { Answer } from './query.js';

export type LogOpenCode =
  | 'no_folder'
  | 'read_only'
  | 'in_use'
  | 'not_a_database'
  | 'foreign_database'
  | 'newer_schema'
  | 'damaged'
  | 'cannot_open';

/** Why the log cannot be opened, as one line for the person who starts the service. */
export class LogOpenError extends Error {
  override readonly name = 'LogOpenError';

  constructor(
    readonly code: LogOpenCode,
    message: string,
  ) {
    super(message);
  }
}

/** A `LogOpenError` as a worker thread reports it to the main thread. */
export type OpenFailure = Pick<LogOpenError, 'code' | 'message'>;

/** Stored data differs from what was written. The message names a position or a digest and nothing else. */
export class Damaged extends Error {
  override readonly name = 'Damaged';

  /** `place` is that of a damaged event; undefined if something else is damaged. */
  constructor(
    message: string,
    readonly place?: DamagedPlace,
  ) {
    super(message);
  }
}

/** The error of a query that failed. `failure` is the message of `Damaged`, or a code. */
export function readErrorOf({ failure, damaged }: Extract<Answer, { failure: string }>): LogUnavailable {
  const message = `the event log cannot be read: ${failure}`;
  if (damaged === undefined) return new LogUnavailable(message);
  return new DamagedEvidence(message, damaged === true ? undefined : damaged);
}

/** The same as an answer, which can be posted to another thread. */
export function failureOf(error: unknown): Extract<Answer, { failure: string }> {
  if (!(error instanceof Damaged)) return { failure: codeOf(error) };
  return { failure: error.message, damaged: error.place ?? true };
}

/** The name of SQLite's or the system's code of an error. Takes nothing from its message, which may hold SQL or a path. */
export const codeOf = (error: unknown): string => (error instanceof Damaged ? 'DAMAGED' : sqliteCodeOf(error));

export function openFailureOf(error: unknown): OpenFailure {
  const { code, message } =
    error instanceof LogOpenError ? error : new LogOpenError('cannot_open', 'the event log cannot be opened');
  return { code, message };
}

/** The error of a worker thread that did not start; `failure` is undefined if it ended without a word. */
export function startErrorOf(failure: OpenFailure | undefined): LogOpenError {
  if (failure === undefined) return new LogOpenError('cannot_open', 'a worker thread ended while it started');
  return new LogOpenError(failure.code, failure.message);
}

/** The error, in one line, of a file that cannot be opened. */
export function openErrorOf(error: unknown, file: string): LogOpenError {
  if (error instanceof LogOpenError) return error;
  if (error instanceof WrongFile) return wrongFileError(error, file);
  const code = codeOf(error);
  switch (code) {
    case 'SQLITE_NOTADB':
      return new LogOpenError('not_a_database', `${file} is not a database, or its header is damaged`);
    case 'SQLITE_CORRUPT':
      return new LogOpenError('damaged', `${file} is damaged: restore it from a backup`);
    case 'SQLITE_READONLY':
      return new LogOpenError('read_only', `${file} or its folder cannot be written`);
    case 'SQLITE_FULL':
      return new LogOpenError(
        'cannot_open',
        `${file} cannot be opened: the disk is full (SQLITE_FULL${freeText(file)})`,
      );
    case 'SQLITE_BUSY':
      return new LogOpenError('in_use', `another process is using ${file}`);
    default:
      return new LogOpenError('cannot_open', `${file} cannot be opened: ${code}`);
  }
}

function freeText(file: string): string {
  try {
    const { bavail, bsize } = statfsSync(dirname(file));
    return `, ${bavail * bsize} bytes free`;
  } catch {
    return '';
  }
}

function wrongFileError({ fault, versions: { found, current } }: WrongFile, file: string): LogOpenError {
  switch (fault) {
    case 'foreign':
      return new LogOpenError('foreign_database', `${file} is a database of another program`);
    case 'newer': {
      const versions = `schema ${found}, this version reads up to ${current}`;
      return new LogOpenError('newer_schema', `${file} was written by a newer version of Sallyport (${versions})`);
    }
    case 'older':
    case 'no_tables':
      return new LogOpenError('damaged', `${file} has lost its tables`);
    case 'no_wal':
      return new LogOpenError('cannot_open', `${file} is on a file system that cannot keep a WAL`);
  }
}
