import { setTimeout as delay } from 'node:timers/promises';
import type { Clock, Instant } from '../../kernel/time.js';
import type { DirectivesClient } from '../service/client.js';
import type { HostView } from './view.js';

/** All instances hear of a directive at once; spread over this time, their acknowledgements do not delay the beats. */
const SPREAD_MS = 50;
/** Longest wait after an acknowledgement that did not succeed. */
const RETRY_MS = 1000;
/** Until a beat has told the length of the lease. */
const DEFAULT_LEASE_MS = 1000;

/** Tells the service what this instance has applied: after each epoch, and often enough to show that it is alive. */
export class Acknowledger {
  acknowledgedEpoch: number | undefined;
  private isUnderWay = false;
  private notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly client: Pick<DirectivesClient, 'acknowledge'>,
    private readonly instanceId: string,
    private readonly view: HostView,
    private readonly clock: Pick<Clock, 'monotonicMs'>,
    private readonly closing: AbortSignal,
  ) {}

  isDue(): boolean {
    const { epoch } = this.view.state();
    // The service would refuse the nonce of an old beat, and after its lease a host needs a new beat anyway.
    if (this.isUnderWay || epoch === undefined || this.view.isLeaseOver()) return false;
    return epoch !== this.acknowledgedEpoch || this.clock.monotonicMs() >= this.notBeforeMs;
  }

  /** Never rejects. A service that knows another state of the epoch makes the host stale. */
  async acknowledge(appliedAt: () => Instant): Promise<void> {
    this.isUnderWay = true;
    await this.pause(Math.random() * SPREAD_MS);
    const { epoch, stateRoot, leaseMs = DEFAULT_LEASE_MS } = this.view.state();
    if (!this.closing.aborted && epoch !== undefined && stateRoot !== undefined) {
      const { instanceId } = this;
      const ack = { instanceId, epoch, stateRoot, appliedAt: appliedAt(), ...this.view.proof(instanceId) };
      const isAccepted = await this.client.acknowledge(ack, this.closing).catch(() => undefined);
      if (isAccepted === true) {
        this.acknowledgedEpoch = epoch;
        this.notBeforeMs = this.clock.monotonicMs() + leaseMs / 2;
      } else {
        if (isAccepted === false) this.view.fail('ack_refused');
        await this.pause(RETRY_MS * (0.5 + Math.random() / 2));
      }
    }
    this.isUnderWay = false;
  }

  private async pause(waitMs: number): Promise<void> {
    await delay(waitMs, undefined, { signal: this.closing }).catch(() => undefined);
  }
}
