import type { ControlView } from '../control/control-view.js';
import type { DatedChange } from '../feed/beat-signer.js';
import { MAX_RECORDS } from './batches.js';

export const HEARTBEAT_KEY = 'heartbeat';

/** The directives that still have to be published. It outlives sessions. */
export class DirectiveBacklog {
  /** Committed and not yet acknowledged by Kafka, in order. */
  pending: DatedChange[] = [];
  /** Keys whose last record on the topic may differ from the log. */
  readonly dirty = new Set<string>();
  /** Those of them that were added during a restatement: their record may be older than the restatement. */
  readonly dirtiedSince = new Set<string>();
  /** The epoch that Kafka has acknowledged. */
  epoch = 0;
  restating = true;
  foreign = 0;
  /** Kafka has acknowledged a restatement: before the first one the content of the topic is unknown. */
  private isSaid = false;

  constructor(
    private readonly known: Pick<ControlView, 'directives'>,
    private readonly wake: () => void,
  ) {}

  arrived(change: DatedChange): void {
    this.dirty.add(change.directive.id);
    if (change.epoch <= this.epoch || this.pending.length >= MAX_RECORDS) {
      // A record on its way may hold an earlier state of it.
      this.dirtiedSince.add(change.directive.id);
      this.restating = true;
    } else this.pending.push(change);
    this.wake();
  }

  get waiting(): number {
    return Math.max(this.dirty.size, this.isSaid ? 0 : 1);
  }

  stateOf(id: string): 'active' | 'lifted' | undefined {
    return this.known.directives().state.all.get(id)?.state;
  }

  /** A foreign record, or an older one of ours, is the last of its key. */
  mistrust(key: string): void {
    if (key !== HEARTBEAT_KEY && this.stateOf(key) !== undefined) {
      this.dirty.add(key);
      this.dirtiedSince.add(key);
    }
    this.restating = true;
    this.wake();
  }

  acknowledged(epoch: number, ids: Iterable<string>): void {
    this.isSaid = true;
    this.epoch = Math.max(this.epoch, epoch);
    this.pending = this.pending.filter((change) => change.epoch > this.epoch);
    for (const id of ids) this.dirty.delete(id);
    for (const { directive } of this.pending) this.dirty.add(directive.id);
    for (const id of this.dirtiedSince) this.dirty.add(id);
  }
}
