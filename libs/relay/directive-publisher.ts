import { beatText, type Beat } from '../feed/beat.js';
import type { BeatSigner } from '../feed/beat-signer.js';
import { isJsonObject } from '../kernel/canonical-json.js';
import type { TopicRecord } from '../kafka/topic-reader.js';
import { batchesOf, bytesOf, MAX_BYTES, MAX_RECORDS } from './batches.js';
import { Checkpoints } from './checkpoints.js';
import { HEARTBEAT_KEY, type DirectiveBacklog } from './directive-backlog.js';
import type { RelayParts, Session } from './lane.js';
import { Listening } from './listening.js';
import { OwnRecords } from './own-records.js';
import type { OutgoingRecord, ReadableOutlet } from './port.js';
import type { WakeSignal } from './wake-signal.js';

const HEARTBEAT_MS = 1_000;
/** The shortest time between two restatements: another writer of the topic cannot make us send more often. */
const RESTATE_GAP_MS = 250;

export type DirectiveSigner = Pick<BeatSigner, 'heartbeat' | 'changes' | 'restatement' | 'ownContent'>;

/** One session: a single loop that sends everything in sequence. */
export class DirectivePublisher {
  readonly listening: Listening;
  private readonly own = new OwnRecords();
  private readonly checkpoints: Checkpoints;
  private tail: { close(): Promise<void> } | undefined;
  private beatDueMs = 0;
  private restateDueMs = 0;

  constructor(
    private readonly parts: RelayParts,
    private readonly session: Session,
    private readonly signer: DirectiveSigner,
    private readonly backlog: DirectiveBacklog,
    private readonly wakeSignal: WakeSignal,
    private readonly outlet: ReadableOutlet,
  ) {
    this.checkpoints = new Checkpoints(session.lease, parts.clock);
    this.listening = new Listening(
      parts.clock,
      (reason) => parts.onTrouble?.('directives', reason),
      () => parts.onRecovered?.('directives'),
    );
  }

  /** Throws at the first failure, or when the session is over. */
  async run(): Promise<void> {
    const { backlog, session } = this;
    backlog.restating = true;
    for (;;) {
      session.signal.throwIfAborted();
      this.listening.tell();
      const nowMs = this.parts.clock.monotonicMs();
      if (backlog.restating && nowMs >= this.restateDueMs) await this.restate();
      else if (!backlog.restating && backlog.pending.length > 0) await this.publishChanges();
      else if (!backlog.restating && nowMs >= this.beatDueMs) await this.heartbeat();
      else {
        await this.checkpoints.record();
        await this.wakeSignal.wait((backlog.restating ? this.restateDueMs : this.beatDueMs) - nowMs);
      }
    }
  }

  async close(): Promise<void> {
    await this.tail?.close();
  }

  private async restate(): Promise<void> {
    const { backlog } = this;
    backlog.restating = false;
    this.restateDueMs = this.parts.clock.monotonicMs() + RESTATE_GAP_MS;
    // Everything up to now is in the state that is read: a lift until then is no longer pending afterwards.
    const { snapshot, directives } = await this.signer.restatement(backlog.dirty);
    const ids = directives.flatMap(({ directive }) => (directive === undefined ? [] : [directive.id]));
    backlog.dirtiedSince.clear();
    const heartbeat = { key: HEARTBEAT_KEY, value: beatText(snapshot) };
    // First, so that hosts that lag behind take the whole state instead of a step that they cannot follow. A state that
    // does not fit in a record is left out: hosts that need it ask for it.
    const whole = bytesOf(heartbeat) <= MAX_BYTES ? [heartbeat] : [];
    await this.publish([...whole, ...directives.map(recordOf)], snapshot);
    backlog.acknowledged(snapshot.epoch, ids);
    this.beatDueMs = whole.length === 0 ? 0 : this.parts.clock.monotonicMs() + HEARTBEAT_MS;
    // From here on, a record that is not ours was written later, or was left over.
    this.tail ??= this.outlet.follow({
      onLoaded: (records) => this.checkLoaded(records),
      onRecord: (record) => this.check(record),
      onInterrupted: (reason) => this.listening.interrupted(reason),
    });
  }

  private async publishChanges(): Promise<void> {
    const { backlog } = this;
    const changes = backlog.pending.slice(0, MAX_RECORDS);
    const beats = await this.signer.changes(changes);
    const last = beats.at(-1);
    if (last === undefined) return;
    await this.publish(beats.map(recordOf), last);
    backlog.acknowledged(
      last.epoch,
      changes.map(({ directive }) => directive.id),
    );
    this.beatDueMs = this.parts.clock.monotonicMs() + HEARTBEAT_MS;
  }

  private async heartbeat(): Promise<void> {
    this.beatDueMs = this.parts.clock.monotonicMs() + HEARTBEAT_MS;
    const beat = await this.signer.heartbeat();
    // A change is about to arrive here: it serves as the heartbeat.
    if (beat.epoch !== this.backlog.epoch) return;
    await this.publish([recordOf(beat)], beat, 0);
  }

  /** Sends only if the log says that the lease is still ours, after the beats were dated. */
  private async publish(records: readonly OutgoingRecord[], last: Beat, counted = records.length): Promise<void> {
    const { lease, sender } = this.session;
    for (const batch of batchesOf(records, bytesOf)) {
      await lease.check();
      for (const { key, value } of batch) this.own.add(key, value);
      await sender.send(batch);
      this.session.acknowledged(batch.length, 0n);
    }
    this.checkpoints.passed(counted, BigInt(last.position));
    this.session.passedOver(BigInt(last.position));
  }

  /** Checks the last records of all keys: a lifted directive must not be left as active. */
  private checkLoaded(records: readonly TopicRecord[]): void {
    this.listening.loaded();
    for (const { key, value } of records) {
      if (key === HEARTBEAT_KEY || this.own.isNext(key, value)) continue;
      const state = this.backlog.stateOf(key);
      if (state === undefined) {
        // A directive of ours that the log does not know was issued before the log was restored.
        if (this.contentOf(value) === undefined) this.backlog.foreign += 1;
      } else if (state === 'active' || this.stateIn(key, value) !== 'lifted') this.backlog.mistrust(key);
    }
  }

  private check({ key, value }: TopicRecord): void {
    if (this.own.isNext(key, value)) return;
    this.backlog.foreign += 1;
    this.backlog.mistrust(key);
  }

  /** The content of a record that the service signed. Attacker-controlled. */
  private contentOf(value: string | null): Readonly<Record<string, unknown>> | undefined {
    const beat: unknown = parsed(value);
    return isJsonObject(beat) ? this.signer.ownContent(beat) : undefined;
  }

  /** The state of the directive that the service signed; undefined if the record holds none. Attacker-controlled. */
  private stateIn(id: string, value: string | null): unknown {
    const directive = this.contentOf(value)?.['directive'];
    return isJsonObject(directive) && directive['id'] === id ? directive['state'] : undefined;
  }
}

const recordOf = (beat: Beat): OutgoingRecord => ({ key: beat.directive?.id ?? HEARTBEAT_KEY, value: beatText(beat) });

function parsed(value: string | null): unknown {
  try {
    return JSON.parse(value ?? '');
  } catch {
    return undefined;
  }
}
