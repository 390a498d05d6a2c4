import type { Authenticator } from '../../../libs/authentication/authenticator.js';
import type { ControlView } from '../../../libs/control/control-view.js';
import type { Instances } from '../../../libs/fleet/instances.js';
import { changeIn } from '../../../libs/feed/beat-signer.js';
import type { Broadcast, Watcher } from '../../../libs/feed/broadcast.js';
import { families } from '../../../libs/streams/catalogue.js';
import type { Principal } from '../edge/access.js';
import { Overloaded, Problem, unwrap } from '../edge/problem.js';
import type { Hold, FairShareLimiter } from '../../../libs/kernel/fair-share-limiter.js';

/** The principal of a watch, with the identity that it was admitted with. */
type Caller = Pick<Principal, 'name' | 'identity'>;

/** The parameters of a watch. */
export interface WatchAsked {
  readonly sinceEpoch?: number | undefined;
  readonly instanceId?: string | undefined;
}

interface Open {
  readonly caller: Caller;
  readonly instanceId: string | undefined;
  readonly hold: Hold;
}

/**
 * The watches of this process, over any protocol. It admits them, and ends a watch if its caller is revoked or silent.
 */
export class Watches {
  private readonly open = new Map<Watcher, Open>();
  private stopListening: (() => void) | undefined;
  private draining = false;

  constructor(
    private readonly view: ControlView,
    private readonly authenticator: Authenticator,
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

  /** Ends all watches and refuses new ones. */
  drain(): void {
    this.draining = true;
    this.broadcast.stop();
    this.stopListening?.();
  }

  /**
   * Opens a watch. Its first beats have been sent when this resolves. If it throws `Problem` or `LogUnavailable`, nothing
   * has been sent. The caller must call `closed` once when the watch has ended, for any reason.
   */
  async watch(caller: Principal, { sinceEpoch, instanceId }: WatchAsked, watcher: Watcher): Promise<void> {
    const { name, identity } = caller;
    this.refuseEnded({ name, identity });
    const hold = this.shares.hold(name);
    if (!hold.take(1)) throw new Overloaded('watches', 'too many watches are open');
    this.open.set(watcher, { caller: { name, identity }, instanceId, hold });
    try {
      if (instanceId !== undefined) {
        unwrap(await this.instances.see({ name, identity }, instanceId));
        this.refuseEnded({ name, identity });
        watcher.onTaken = () => this.instances.beatLeft({ name, identity }, instanceId);
      }
      // A watcher at epoch 0 knows nothing, so it gets everything.
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

  private refuseEnded(caller: Caller): void {
    if (this.draining) throw new Problem('log_unavailable', 'the service is shutting down');
    if (!this.authenticator.isCurrent(caller))
      throw new Problem('unauthenticated', 'the caller or its token is no longer valid');
  }

  /** Ends the watches of principals that were removed or whose token was rotated. */
  private endRevoked(): void {
    for (const [watcher, { caller }] of this.open) {
      if (!this.authenticator.isCurrent(caller)) this.broadcast.end(watcher, 'revoked');
    }
  }

  /** The kernel may buffer unread beats for a host that hangs. A live host reconnects immediately. */
  private endSilent(host: string, instance: string): void {
    for (const [watcher, { caller, instanceId }] of this.open) {
      if (caller.name === host && instanceId === instance) this.broadcast.end(watcher, 'silent');
    }
  }
}
