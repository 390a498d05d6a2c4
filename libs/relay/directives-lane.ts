import type { ControlView } from '../control/control-view.js';
import { beatText, type Beat } from '../feed/beat.js';
import { changeIn, type BeatSigner, type DatedChange } from '../feed/beat-signer.js';
import type { TopicRecord } from '../kafka/topic-reader.js';
import { families } from '../streams/catalogue.js';
import { batchesOf, bytesOf, MAX_BYTES, MAX_RECORDS } from './batches.js';
import { WakeSignal } from './wake-signal.js';
import { Checkpoints } from './checkpoints.js';
import { runLane, type Lane, type LaneStatus, type RelayParts, type Session } from './lane.js';
import { Listening } from './listening.js';
import { membersOf, OwnRecords } from './own-records.js';
import type { OutgoingRecord, ReadableOutlet } from './port.js';

export const HEARTBEAT_KEY = 'heartbeat';
const HEARTBEAT_MS = 1_000;
/** The shortest time between two restatements: another writer of the topic cannot make us send more often. */
const RESTATE_GAP_MS = 250;
export type ObservedDirectives = Pick<ControlView, 'directives' | 'listen'>;

export interface DirectivesLane extends Lane {
  status(): LaneStatus & {
    /** Records of others that were found on the topic. */
    readonly foreign: number;
    /** The epoch that Kafka has acknowledged. */
    readonly epoch: number;
    /** Directives whose latest state Kafka has not acknowledged; at least 1 until the first restatement. */
    readonly waiting: number;
  };
}

/**
 * Publishes directives: each change as soon as it is committed, and every second a heartbeat, which claims no epoch
 * that Kafka has not acknowledged. The topic is compacted, so the last record of a key counts, even one that a deposed
 * relay or a thawing broker wrote late. The lane therefore reads the topic and restates everything if it finds a record
 * that is not its own.
 */
export function runDirectivesLane(
  parts: RelayParts,
  outlet: ReadableOutlet,
  signer: Pick<BeatSigner, 'heartbeat' | 'changes' | 'restatement'>,
  known: ObservedDirectives,
): DirectivesLane {
  const wakeSignal = new WakeSignal();
  const feed = new Outgoing(known, wakeSignal.wake);
  const stopListening = known.listen(({ event, position }) => {
    if (families.directives.owns(event))
      feed.arrived({ ...changeIn(event, position, known.directives().state), time: event.time });
  });
  let publisher: Publisher | undefined;
  const lane = runLane(
    'directives',
    parts,
    outlet,
    () => Promise.resolve(true),
    async (session) => {
      const { signal } = session;
      signal.addEventListener('abort', wakeSignal.wake, { once: true });
      const current = new Publisher(parts, session, signer, feed, wakeSignal, outlet);
      publisher = current;
      try {
        await current.run();
      } finally {
        publisher = undefined;
        signal.removeEventListener('abort', wakeSignal.wake);
        await current.close();
      }
    },
  );
  return {
    status() {
      const trouble = publisher?.listening.trouble;
      const { foreign, epoch, waiting } = feed;
      return { ...(trouble === undefined ? {} : { reason: trouble }), ...lane.status(), foreign, epoch, waiting };
    },
    stop() {
      stopListening();
      return lane.stop();
    },
  };
}

/** The state that has to be published. It outlives sessions. */
class Outgoing {
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
    private readonly known: ObservedDirectives,
    private readonly ring: () => void,
  ) {}

  arrived(change: DatedChange): void {
    this.dirty.add(change.directive.id);
    if (change.epoch <= this.epoch || this.pending.length >= MAX_RECORDS) {
      // A record on its way may hold an earlier state of it.
      this.dirtiedSince.add(change.directive.id);
      this.restating = true;
    } else this.pending.push(change);
    this.ring();
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
    this.ring();
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

/** One session: a single loop that sends everything in sequence. */
class Publisher {
  readonly listening: Listening;
  private readonly own = new OwnRecords();
  private readonly checkpoints: Checkpoints;
  private tail: { close(): Promise<void> } | undefined;
  private beatDueMs = 0;
  private restateDueMs = 0;

  constructor(
    private readonly parts: RelayParts,
    private readonly session: Session,
    private readonly signer: Pick<BeatSigner, 'heartbeat' | 'changes' | 'restatement'>,
    private readonly feed: Outgoing,
    private readonly wakeSignal: WakeSignal,
    private readonly outlet: ReadableOutlet,
  ) {
    this.checkpoints = new Checkpoints(session.lease, parts.clock);
    this.listening = new Listening(parts.clock, (reason) => parts.onTrouble?.('directives', reason));
  }

  /** Throws at the first failure, or when the session is over. */
  async run(): Promise<void> {
    const { feed, session } = this;
    feed.restating = true;
    for (;;) {
      session.signal.throwIfAborted();
      this.listening.tell();
      const nowMs = this.parts.clock.monotonicMs();
      if (feed.restating && nowMs >= this.restateDueMs) await this.restate();
      else if (!feed.restating && feed.pending.length > 0) await this.publishChanges();
      else if (!feed.restating && nowMs >= this.beatDueMs) await this.heartbeat();
      else {
        await this.checkpoints.record();
        await this.wakeSignal.wait((feed.restating ? this.restateDueMs : this.beatDueMs) - nowMs);
      }
    }
  }

  async close(): Promise<void> {
    await this.tail?.close();
  }

  private async restate(): Promise<void> {
    const { feed } = this;
    feed.restating = false;
    this.restateDueMs = this.parts.clock.monotonicMs() + RESTATE_GAP_MS;
    // Everything up to now is in the state that is read: a lift until then is no longer pending afterwards.
    const { snapshot, directives } = await this.signer.restatement(feed.dirty);
    const ids = directives.flatMap(({ directive }) => (directive === undefined ? [] : [directive.id]));
    feed.dirtiedSince.clear();
    const said = { key: HEARTBEAT_KEY, value: beatText(snapshot) };
    // First, so that hosts that lag behind take the whole state instead of a step that they cannot follow. A state that
    // does not fit in a record is left out: hosts that need it ask for it.
    const whole = bytesOf(said) <= MAX_BYTES ? [said] : [];
    this.own.add(HEARTBEAT_KEY, snapshot.signature);
    await this.publish([...whole, ...directives.map((beat) => this.record(beat))], snapshot);
    feed.acknowledged(snapshot.epoch, ids);
    this.beatDueMs = whole.length === 0 ? 0 : this.parts.clock.monotonicMs() + HEARTBEAT_MS;
    // From here on, a record that is not ours was written later, or was left over.
    this.tail ??= this.outlet.follow({
      onLoaded: (records) => this.judgeLoaded(records),
      onRecord: (record) => this.judge(record),
      onInterrupted: (reason) => this.listening.interrupted(reason),
    });
  }

  private async publishChanges(): Promise<void> {
    const { feed } = this;
    const changes = feed.pending.slice(0, MAX_RECORDS);
    const beats = await this.signer.changes(changes);
    const last = beats.at(-1);
    if (last === undefined) return;
    await this.publish(
      beats.map((beat) => this.record(beat)),
      last,
    );
    feed.acknowledged(
      last.epoch,
      changes.map(({ directive }) => directive.id),
    );
    this.beatDueMs = this.parts.clock.monotonicMs() + HEARTBEAT_MS;
  }

  private async heartbeat(): Promise<void> {
    this.beatDueMs = this.parts.clock.monotonicMs() + HEARTBEAT_MS;
    const beat = await this.signer.heartbeat();
    // A change is about to arrive here: it serves as the heartbeat.
    if (beat.epoch !== this.feed.epoch) return;
    await this.publish([this.record(beat)], beat, 0);
  }

  private record(beat: Beat): OutgoingRecord {
    const key = beat.directive?.id ?? HEARTBEAT_KEY;
    this.own.add(key, beat.signature);
    return { key, value: beatText(beat) };
  }

  /** Sends only if the log says that the lease is still ours, after the beats were dated. */
  private async publish(records: readonly OutgoingRecord[], last: Beat, counted = records.length): Promise<void> {
    const { lease, sender } = this.session;
    for (const batch of batchesOf(records, bytesOf)) {
      await lease.check();
      await sender.send(batch);
      this.session.acknowledged(batch.length, 0n);
    }
    this.checkpoints.passed(counted, BigInt(last.position));
    this.session.passedOver(BigInt(last.position));
  }

  /** Checks the last records of all keys: a lifted directive must not be left as active. */
  private judgeLoaded(records: readonly TopicRecord[]): void {
    this.listening.loaded();
    for (const { key, value } of records) {
      if (key === HEARTBEAT_KEY || this.own.isNext(key, value)) continue;
      const state = this.feed.stateOf(key);
      if (state === undefined) this.feed.foreign += 1;
      else if (state === 'active' || stateIn(value) !== 'lifted') this.feed.mistrust(key);
    }
  }

  private judge({ key, value }: TopicRecord): void {
    if (this.own.isNext(key, value)) return;
    this.feed.foreign += 1;
    this.feed.mistrust(key);
  }
}

function stateIn(value: string | null): unknown {
  const { directive } = membersOf(value);
  return typeof directive === 'object' && directive !== null && 'state' in directive ? directive.state : undefined;
}
