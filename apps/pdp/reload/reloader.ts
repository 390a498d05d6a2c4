import { stat } from 'node:fs/promises';
import type { Logger } from 'pino';

/** Something that the service reads from files and can read again while it runs. */
export interface Reloadable {
  /** Its name in the log. */
  readonly what: string;
  readonly files: readonly string[];
  /**
   * Reads the files again, and uses them if they are whole. Returns whether anything changed. If it throws, the old
   * content stays in use; the message is one line without any content of the files.
   */
  reload(): boolean;
  /** Fields for the line of the log that says that it was reloaded. */
  details?(): object;
}

/** How often the files are looked at, in milliseconds. A look is one stat(2) per file. */
const LOOK_MS = 1000;
/** Attempts that may fail before a line says so: two files that belong together are seldom replaced at once. */
const QUIET_ATTEMPTS = 1;
/** A pipe or a device, which may give its content only once. */
const SPECIAL = 'special';
const NOT_A_FILE = 'it is not a regular file, so it is not read again';

interface Watched {
  readonly part: Reloadable;
  /** The files as they were at the latest attempt. */
  mark: string | undefined;
  /** Attempts that failed since the latest that did not. */
  failures: number;
  /** Why it cannot be used, as the latest line says. */
  told: string | undefined;
}

interface Attempt {
  readonly each: Watched;
  readonly outcome: 'reloaded' | 'unchanged' | 'failed';
  readonly reason?: string;
}

/**
 * Reads files again: when they change, and when asked to. It polls: Kubernetes replaces a mounted secret by changing a
 * link in another folder, which a watch on the file does not see.
 */
export class Reloader {
  private readonly watched: readonly Watched[];
  private timer: NodeJS.Timeout | undefined;
  /** The attempts in progress: they never run side by side. */
  private latest: Promise<void> = Promise.resolve();
  private askedAgain = false;

  constructor(
    parts: readonly Reloadable[],
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
  ) {
    this.watched = parts.map((part) => ({ part, mark: undefined, failures: 0, told: undefined }));
  }

  /** Whether files have changed to something that cannot be used. */
  get isFailing(): boolean {
    return this.watched.some(({ failures }) => failures > QUIET_ATTEMPTS);
  }

  start(): void {
    if (this.watched.length === 0) return;
    let looking = false;
    this.timer = setInterval(() => {
      if (looking) return;
      looking = true;
      void this.inTurn(() => this.look()).finally(() => (looking = false));
    }, LOOK_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Reads everything again and writes one line about it. Requests that come meanwhile share the next line. */
  async now(): Promise<void> {
    if (this.askedAgain) return this.latest;
    this.askedAgain = true;
    return this.inTurn(async () => {
      this.askedAgain = false;
      const attempts: Attempt[] = [];
      for (const each of this.watched) attempts.push(this.attempt(each, await markOf(each.part.files)));
      this.report(attempts);
    });
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    this.latest = this.latest.then(work);
    return this.latest;
  }

  /** Reads the parts that have changed or failed, and writes a line only if there is news. */
  private async look(): Promise<void> {
    for (const each of this.watched) {
      const mark = await markOf(each.part.files);
      if (mark === each.mark && each.failures === 0) continue;
      const attempt = this.attempt(each, mark);
      if (isNews(attempt)) this.report([attempt]);
    }
  }

  private attempt(each: Watched, mark: string): Attempt {
    each.mark = mark;
    if (mark === SPECIAL) return { each, outcome: 'failed', reason: NOT_A_FILE };
    try {
      const outcome = each.part.reload() ? 'reloaded' : 'unchanged';
      each.failures = 0;
      return { each, outcome };
    } catch (error) {
      each.failures += 1;
      return { each, outcome: 'failed', reason: error instanceof Error ? error.message : String(error) };
    }
  }

  private report(attempts: readonly Attempt[]): void {
    for (const { each, reason } of attempts) each.told = reason;
    const named = (wanted: Attempt['outcome']): string[] =>
      attempts.flatMap(({ each, outcome }) => (outcome === wanted ? [each.part.what] : []));
    const reasons = attempts.flatMap(({ each, reason }) =>
      reason === undefined ? [] : [`${each.part.what}: ${reason}`],
    );
    const fields: object = Object.assign(
      { reloaded: named('reloaded'), unchanged: named('unchanged') },
      ...attempts.map(({ each }) => each.part.details?.()),
    );
    const isReloaded = attempts.some(({ outcome }) => outcome === 'reloaded');
    if (reasons.length === 0) this.logger.info(fields, isReloaded ? 'reloaded' : 'no file has changed');
    else this.logger.warn({ ...fields, reasons }, 'not reloaded: the old content stays in use');
  }
}

function isNews({ each, outcome, reason }: Attempt): boolean {
  if (outcome === 'failed') return each.failures > QUIET_ATTEMPTS && reason !== each.told;
  return outcome === 'reloaded' || each.told !== undefined;
}

/** Differs if any of the files is another one or was written. Links are followed. */
async function markOf(files: readonly string[]): Promise<string> {
  const marks = await Promise.all(
    files.map(async (file) => {
      const found = await stat(file, { bigint: true }).catch(() => undefined);
      if (found === undefined) return 'missing';
      return found.isFile() ? [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(':') : SPECIAL;
    }),
  );
  return marks.includes(SPECIAL) ? SPECIAL : marks.join(' ');
}
