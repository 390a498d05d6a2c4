import type { ControlView } from '#libs/decision-point/control-view.js';
import { changeIn } from '#libs/feed/beats.js';
import type { Broadcast, Watcher } from '#libs/feed/broadcast.js';
import type { Principal } from '../http/access.js';
import { Problem } from '../http/problem.js';
import type { Shares } from '../overload/shares.js';

/** What a watch begins with. */
export interface WatchAsked {
  readonly sinceEpoch?: number | undefined;
  readonly instanceId?: string | undefined;
}

interface Open {
  readonly name: string;
  readonly tokenDigest: string;
}

/** The watches of this process, over any protocol: who may have one, and when it has to end. */
export class Watches {
  private readonly open = new Map<Watcher, Open>();
  private stopListening: (() => void) | undefined;
  private draining = false;

  constructor(
    private readonly view: ControlView,
    private readonly broadcast: Broadcast,
    private readonly shares: Shares,
  ) {}

  start(): void {
    this.stopListening = this.view.listen(({ stream, event, position }) => {
      if (stream === 'directives') this.broadcast.changed(changeIn(event, position, this.view.directives().state));
      else if (stream.startsWith('principal-')) this.endRevoked();
    });
    this.broadcast.start();
  }

  /** Ends all watches, and lets nobody in any more. */
  drain(): void {
    this.draining = true;
    this.broadcast.stop();
    this.stopListening?.();
  }

  /**
   * Opens a watch; its first beats have been sent when this resolves. Throws `Problem` and `LogUnavailable`: then
   * nothing has been sent. Whoever opened it has to say when it is closed, once, whatever it was that ended it.
   */
  async watch(caller: Principal, { sinceEpoch }: WatchAsked, watcher: Watcher): Promise<void> {
    const { name, tokenDigest } = caller;
    if (this.draining) throw new Problem('log_unavailable', 'the service is going away');
    if (!this.isValid({ name, tokenDigest })) throw new Problem('unauthenticated', 'a valid bearer token is needed');
    if (!this.shares.take(name, 1)) throw new Problem('overloaded', 'too many watch already');
    this.open.set(watcher, { name, tokenDigest });
    try {
      await this.broadcast.join(watcher, sinceEpoch);
    } catch (error) {
      this.closed(watcher);
      throw error;
    }
  }

  closed(watcher: Watcher): void {
    this.broadcast.leave(watcher);
    const open = this.open.get(watcher);
    if (open === undefined) return;
    this.open.delete(watcher);
    this.shares.giveBack(open.name, 1);
  }

  /** A rotated token, or a principal that was removed, has nothing on the way any more. */
  private endRevoked(): void {
    for (const [watcher, open] of this.open) if (!this.isValid(open)) this.broadcast.end(watcher, 'revoked');
  }

  private isValid({ name, tokenDigest }: Open): boolean {
    return this.view.principalByToken(tokenDigest)?.name === name;
  }
}
