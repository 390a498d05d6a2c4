import { Counter, type Registry } from 'prom-client';
import type { OverloadCause } from '../edge/problem.js';

/** Most hosts with series and lines of their own. All further ones share the name `other`. */
const MAX_HOSTS = 50;
const OTHER = 'other';
/** The shortest time between two lines about one host, in milliseconds. */
const LINE_MS = 60_000;
const LOOK_MS = 5_000;

/** The refusals of one host since its last line. */
interface Untold {
  lineAtMs: number;
  readonly byCause: Map<OverloadCause, number>;
}

export interface RefusalParts {
  readonly registry: Registry;
  readonly warn: (fields: Readonly<Record<string, unknown>>, text: string) => void;
  readonly nowMs: () => number;
}

/**
 * Counts every request that was refused because of load or a quota, by the bound that refused it and by its caller. Only
 * names of principals reach it, and `''` for a caller without a token. The first refusal of a caller is a line in the log at
 * once. Later ones share a line a minute.
 */
export class Refusals {
  private readonly counter: Counter<'cause' | 'host'>;
  private readonly hosts = new Set<string>();
  private readonly untold = new Map<string, Untold>();
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly parts: RefusalParts) {
    this.counter = new Counter({
      name: 'sallyport_overloaded_total',
      help: 'Requests that were refused because too much was under way or a quota was used up, by bound and caller.',
      labelNames: ['cause', 'host'],
      registers: [parts.registry],
    });
    this.timer = setInterval(() => this.tell(), LOOK_MS).unref();
  }

  /** `host` is the name of an authenticated principal. It is undefined if there is none. */
  readonly refused = (cause: OverloadCause, host: string | undefined): void => {
    const name = host === undefined ? '' : this.shownAs(host);
    this.counter.inc({ cause, host: name });
    const untold = this.untold.get(name) ?? { lineAtMs: -Infinity, byCause: new Map<OverloadCause, number>() };
    untold.byCause.set(cause, (untold.byCause.get(cause) ?? 0) + 1);
    this.untold.set(name, untold);
    if (untold.lineAtMs === -Infinity) this.line(name, untold);
  };

  /** Writes the lines that are due. A caller that had no refusal for the time between two lines is forgotten. */
  tell(): void {
    for (const [name, untold] of this.untold) {
      if (this.parts.nowMs() - untold.lineAtMs < LINE_MS) continue;
      if (untold.byCause.size === 0) this.untold.delete(name);
      else this.line(name, untold);
    }
  }

  /** Writes what is left to say. */
  stop(): void {
    clearInterval(this.timer);
    for (const [name, untold] of this.untold) if (untold.byCause.size > 0) this.line(name, untold);
  }

  private line(name: string, untold: Untold): void {
    untold.lineAtMs = this.parts.nowMs();
    const causes = Object.fromEntries(untold.byCause);
    const refused = [...untold.byCause.values()].reduce((sum, each) => sum + each, 0);
    untold.byCause.clear();
    this.parts.warn(
      { host: name === '' ? 'without a token' : name, refused, causes },
      'requests were refused: overloaded',
    );
  }

  private shownAs(host: string): string {
    if (this.hosts.has(host)) return host;
    if (this.hosts.size >= MAX_HOSTS) return OTHER;
    this.hosts.add(host);
    return host;
  }
}
