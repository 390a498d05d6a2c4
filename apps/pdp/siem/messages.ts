import type { DamagedPlace } from '../../../libs/event-log/port.js';

/** What the thread gets at its start. */
export interface SiemThreadData {
  readonly logFile: string;
  /** Undefined: no file is written. */
  readonly file: string | undefined;
  readonly otlp: OtlpOptions | undefined;
}

/** How log records leave: the package of the exporter, and the environment that it reads. Holds a secret. */
export interface OtlpOptions {
  readonly exporter: string;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * `records` answers the OCSF events after a position, and the caller sends them. `file` writes them to the file, and `sync`
 * makes the file durable. `otlp` sends them as log records.
 */
export type SiemRequest = { readonly id: number } & (
  { readonly kind: 'records' | 'file' | 'otlp'; readonly after: number } | { readonly kind: 'sync' }
);

/** One page of the log. `records`: key and value of each, in turns; only for `records`. */
export interface SiemPage {
  readonly to: number;
  readonly count: number;
  readonly atEnd: boolean;
  readonly records?: readonly string[];
  /** Damaged events of the page. */
  readonly damaged?: readonly DamagedPlace[];
}

/** Answers may come in another order than their requests. `failure` is a code or one line, without a path or a secret. */
export type SiemReply = { readonly id: number } & (
  { readonly page: SiemPage | undefined } | { readonly failure: string }
);
