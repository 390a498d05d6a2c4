import type { RecordedEvent } from '../event-log/port.js';
import type { SettledLog } from '../event-log/settled.js';
import type { Instant } from '../kernel/time.js';
import { families } from '../streams/catalogue.js';
import { writeOf } from '../streams/facts.js';
import type { LaneName, relayEventSchemas, RelayProgress } from '../streams/relay-events.js';

/** Another process sends now, and also sends the records that this one had left. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

const ACTOR = 'system:relay';

/**
 * The right to send in a lane, and how far the lane has got: one stream, whose exact revision is the fence. A process
 * that writes with an outdated revision is refused and thereby learns that it has lost the lane. Not for use by two
 * callers at once.
 */
export class RelayLease {
  readonly stream: string;
  private revision = 0;
  private last: RelayProgress | undefined;

  constructor(
    private readonly log: SettledLog,
    lane: LaneName,
    /** A UUID of this process. */
    readonly holder: string,
    private readonly time: { now(): Instant },
  ) {
    this.stream = families.relay.stream(lane);
  }

  /** Reads the current holder and position. Throws `LogUnavailable`. */
  async refresh(): Promise<void> {
    const head = await this.log.head(this.stream);
    if (head === 0) return;
    const event = (await this.log.read(this.stream, head - 1)).at(-1);
    if (event === undefined) return;
    this.revision = event.revision;
    this.last = families.relay.read(event.json).data;
  }

  get isMine(): boolean {
    return this.last?.holder === this.holder;
  }

  /** Whether any process has ever held it. */
  get isHeld(): boolean {
    return this.last !== undefined;
  }

  /** Everything up to here has been acknowledged. */
  get position(): bigint {
    return BigInt(this.last?.position ?? 0);
  }

  /** Takes it from its last known holder; false if another process was quicker. Throws `LogUnavailable`. */
  take(): Promise<boolean> {
    return this.append('RelayLeaseTaken', this.position);
  }

  /** Records how far the lane has got. Throws `LeaseLost`, `LogUnavailable`. */
  async checkpoint(position: bigint): Promise<void> {
    if (!(await this.append('RelayCheckpointed', position))) throw new LeaseLost('another relay has taken over');
  }

  /** Whether an event of the log says that another process has taken the lane since. */
  isOvertakenBy({ stream, revision, json }: Pick<RecordedEvent, 'stream' | 'revision' | 'json'>): boolean {
    if (stream !== this.stream || revision <= this.revision) return false;
    return families.relay.read(json).data.holder !== this.holder;
  }

  /** Asks the log whether the lease is still ours. Throws `LeaseLost`, `LogUnavailable`. */
  async check(): Promise<void> {
    if ((await this.log.head(this.stream)) !== this.revision) throw new LeaseLost('another relay has taken over');
  }

  private async append(type: keyof typeof relayEventSchemas, position: bigint): Promise<boolean> {
    const { stream, holder, revision } = this;
    const data: RelayProgress = { holder, position: String(position) };
    const time = this.time.now();
    const write = writeOf(stream, revision, [{ type, data, actor: ACTOR, time }]);
    const outcome = await this.log.append({ writes: [write], checks: [] });
    if (outcome.kind === 'refused') return false;
    this.revision = revision + 1;
    this.last = data;
    return true;
  }
}
