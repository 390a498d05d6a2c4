import { Inject, Injectable } from '@nestjs/common';
import { ControlView } from '../../../libs/control/control-view.js';
import { EVENT_LOG, type EventLog } from '../tokens.js';

const TIMEOUT_MS = 1000;

export type NotReady = 'shutting_down' | 'log_unavailable' | 'view_stale';

/** Whether the service could allow a call: the log accepts a commit, and the view is up to date with the log. */
@Injectable()
export class Readiness {
  private draining = false;
  private asked: Promise<NotReady | undefined> | undefined;

  constructor(
    @Inject(EVENT_LOG) private readonly log: EventLog,
    @Inject(ControlView) private readonly view: ControlView,
  ) {}

  /** Marks the service as shutting down. */
  drain(): void {
    this.draining = true;
  }

  /** Why the service could not allow a call; undefined if it could. Concurrent callers share one query of the log. */
  async whyNot(): Promise<NotReady | undefined> {
    if (this.draining) return 'shutting_down';
    this.asked ??= this.ask().finally(() => (this.asked = undefined));
    return this.asked;
  }

  /** The same for a reader that does not wait for a log which does not answer. */
  async whyNotYet(): Promise<NotReady | undefined> {
    const late = Promise.withResolvers<NotReady>();
    const timer = setTimeout(() => late.resolve('log_unavailable'), TIMEOUT_MS);
    return Promise.race([this.whyNot(), late.promise]).finally(() => clearTimeout(timer));
  }

  private async ask(): Promise<NotReady | undefined> {
    try {
      // The probe writes nothing, but passes through the queue and the store like every append.
      const probe = await this.log.append({ writes: [], checks: [{ stream: 'health', expected: 0 }] });
      if (probe.kind !== 'committed') return 'log_unavailable';
      return (await this.view.waitFor(await this.log.end(), TIMEOUT_MS)) ? undefined : 'view_stale';
    } catch {
      return 'log_unavailable';
    }
  }
}
