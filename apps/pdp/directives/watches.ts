import type { ControlView } from '../../../libs/control/control-view.js';
import type { Instances } from '../../../libs/fleet/instances.js';
import { changeIn } from '../../../libs/feed/beat-signer.js';
import type { Broadcast, Watcher } from '../../../libs/feed/broadcast.js';
import { families } from '../../../libs/streams/catalogue.js';
import type { Principal } from '../edge/access.js';
import { Problem, unwrap } from '../edge/problem.js';
import type { Hold, FairShareLimiter } from '../../../libs/kernel/fair-share-limiter.js';

/** What a watch begins with. */
export interface WatchAsked {
  readonly sinceEpoch?: number | undefined;
  readonly instanceId?: string | undefined;
}

interface Open {
  readonly name: string;
  readonly tokenDigest: string;
  readonly instanceId: string | undefined;
  readonly hold: Hold;
}

/** The watches of this process, over any protocol: who may have one, and when it has to end. */
export class Watches {
  private readonly open = new Map<Watcher, Open>();
  private stopListening: (() => void) | undefined;
  private draining = false;

  constructor(
    private readonly view: ControlView,
    private readonly broadcast: Broadcast,
    private readonly shares: FairShareLimiter,
    private readonly instances: Instances,
  ) {}

  start(): void {
    this.stopListening = this.view.listen(({ event, position }) => {
      if (families.directives.owns(event))
        this.broadcast.changed(changeIn(event, position, this.view.directives().state));
      else if (families.principal.owns(event)) this.endRevoked();
    });
    this.instances.onSilent = (host, instanceId) => this.endSilent(host, instanceId);
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
  async watch(caller: Principal, { sinceEpoch, instanceId }: WatchAsked, watcher: Watcher): Promise<void> {
    const { name, tokenDigest } = caller;
    this.refuseEnded(caller);
    const hold = this.shares.hold(name);
    if (!hold.take(1)) throw new Problem('overloaded', 'too many watch already');
    this.open.set(watcher, { name, tokenDigest, instanceId, hold });
    try {
      if (instanceId !== undefined) {
        unwrap(await this.instances.see({ name, tokenDigest }, instanceId));
        this.refuseEnded({ name, tokenDigest });
        watcher.onTaken = () => this.instances.beatLeft({ name, tokenDigest }, instanceId);
      }
      // Whoever says 0 has nothing, and gets all of it.
      if (this.open.has(watcher)) await this.broadcast.join(watcher, sinceEpoch === 0 ? undefined : sinceEpoch);
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
    open.hold.end();
  }

  private refuseEnded(caller: Pick<Open, 'name' | 'tokenDigest'>): void {
    if (this.draining) throw new Problem('log_unavailable', 'the service is going away');
    if (!this.isValid(caller)) throw new Problem('unauthenticated', 'a valid bearer token is needed');
  }

  /** A rotated token, or a principal that was removed, has nothing on the way any more. */
  private endRevoked(): void {
    for (const [watcher, open] of this.open) if (!this.isValid(open)) this.broadcast.end(watcher, 'revoked');
  }

  /** What is written to a host that hangs may lie unread in some kernel: one that lives comes back at once. */
  private endSilent(host: string, instance: string): void {
    for (const [watcher, { name, instanceId }] of this.open) {
      if (name === host && instanceId === instance) this.broadcast.end(watcher, 'silent');
    }
  }

  private isValid({ name, tokenDigest }: Pick<Open, 'name' | 'tokenDigest'>): boolean {
    return this.view.principalByToken(tokenDigest)?.name === name;
  }
}
