import type { AppendOutcome, Batch } from '../../port.js';
import { partsOf, type PayloadPart } from '../shared/group-message.js';
import { MAX_GROUP_BATCHES, MAX_GROUP_BYTES, PART_BYTES } from '../shared/settings.js';

/** Appends that are looked at after a large one, not counting those that depend on unwritten ones. */
const MAX_LOOKED = 256;

/** An append whose fate is not known yet. */
export interface Waiting {
  readonly batch: Batch;
  readonly weight: number;
  /** Its cell in `ClaimCells`. */
  readonly cell: number;
  readonly resolve: (outcome: AppendOutcome) => void;
  /** For a batch with a large payload, which is written in parts before the batch itself. */
  readonly parted?: Parted | undefined;
}

export interface Parted {
  readonly token: number;
  readonly payload: Uint8Array;
  /** Parts that were posted to the writer. */
  given: number;
  /** Its caller has taken the batch back: its other parts are not written, and the writer deletes the written ones. */
  isTakenBack?: boolean;
}

/** One item of a group: an append, or a part of the payload of an append that stays in the queue. */
export type Entry = { readonly append: Waiting; readonly part?: PayloadPart };

/** Appends that the writer has not been given yet, in the order in which it gets them. */
export class WaitingAppends {
  private readonly waiting: Waiting[] = [];
  private eventCount = 0;
  private partedCount = 0;

  get length(): number {
    return this.waiting.length;
  }

  get events(): number {
    return this.eventCount;
  }

  get startsUrgently(): boolean {
    return this.waiting[0]?.batch.urgent === true;
  }

  add(append: Waiting): void {
    this.count(append, 1);
    if (append.batch.urgent === true) this.waiting.splice(this.placeOf(append.batch), 0, append);
    else this.waiting.push(append);
  }

  /** The next group: as many as may share one. */
  takeGroup(): Entry[] {
    return this.partedCount === 0 ? this.takeFirst().map((append) => ({ append })) : this.takeAround();
  }

  /** Takes out an append whose payload could not be written. False if it is not here. */
  remove(append: Waiting): boolean {
    const at = this.waiting.indexOf(append);
    if (at >= 0) this.takeAt(at);
    return at >= 0;
  }

  /**
   * A part of a large payload is joined by appends that do not depend on its batch. The others stay behind it and keep
   * their order.
   */
  private takeAround(): Entry[] {
    const group: Entry[] = [];
    const held = new Set<string>();
    let weight = 0;
    let at = 0;
    let looked = 0;
    while (at < this.waiting.length && group.length < MAX_GROUP_BATCHES) {
      const append = this.waiting[at];
      if (append === undefined || looked > MAX_LOOKED || weight > MAX_GROUP_BYTES) break;
      const { writes, checks } = append.batch;
      const isHeld = [...writes, ...checks].some(({ stream }) => held.has(stream));
      if (!isHeld) looked += 1;
      const part = isHeld || weight > 0 ? undefined : nextPart(append.parted);
      const waits = isHeld || isUnwritten(append.parted) || part !== undefined;
      if (part !== undefined) {
        group.push({ append, part });
        weight += part.bytes.byteLength;
      }
      if (waits) {
        for (const { stream } of writes) held.add(stream);
        at += 1;
      } else {
        weight += append.parted === undefined ? append.weight : 0;
        group.push({ append });
        this.takeAt(at);
      }
    }
    return group;
  }

  private takeAt(at: number): void {
    for (const each of this.waiting.splice(at, 1)) this.count(each, -1);
  }

  private takeFirst(): Waiting[] {
    let count = 1;
    let weight = this.waiting[0]?.weight ?? 0;
    for (; count < Math.min(this.waiting.length, MAX_GROUP_BATCHES); count += 1) {
      weight += this.waiting[count]?.weight ?? 0;
      if (weight > MAX_GROUP_BYTES) break;
    }
    return this.take(count);
  }

  takeAll(): Waiting[] {
    return this.take(this.waiting.length);
  }

  private take(count: number): Waiting[] {
    const taken = this.waiting.splice(0, count);
    for (const each of taken) this.count(each, -1);
    return taken;
  }

  private count({ batch, parted }: Waiting, sign: 1 | -1): void {
    for (const { events } of batch.writes) this.eventCount += sign * events.length;
    if (parted !== undefined) this.partedCount += sign;
  }

  /**
   * Before all appends that are not urgent, but after any that writes a stream that the batch writes or checks, because
   * the batch may depend on it. An append that only checks a stream that the batch writes is then refused, as if it had
   * come later.
   */
  private placeOf({ writes, checks }: Batch): number {
    const streams = new Set([...writes, ...checks].map(({ stream }) => stream));
    const rests = ({ batch }: Waiting): boolean =>
      batch.urgent === true || batch.writes.some(({ stream }) => streams.has(stream));
    return this.waiting.findLastIndex(rests) + 1;
  }
}

const isUnwritten = (parted: Parted | undefined): boolean =>
  parted !== undefined && parted.isTakenBack !== true && parted.given < partsOf(parted.payload);

/** The next part of a payload, undefined if all of them have been given. */
function nextPart(parted: Parted | undefined): PayloadPart | undefined {
  if (parted === undefined || !isUnwritten(parted)) return undefined;
  const { token, payload, given: part } = parted;
  parted.given += 1;
  return { token, part, bytes: payload.subarray(part * PART_BYTES, (part + 1) * PART_BYTES) };
}

/** The one large payload of a batch, to be written in parts. */
export function partedOf({ writes }: Batch, token: () => number): Parted | undefined {
  const large = writes.flatMap(({ events }) =>
    events.flatMap(({ payload }) => (payload !== undefined && payload.byteLength > PART_BYTES ? [payload] : [])),
  );
  const [payload] = large;
  return payload === undefined || large.length > 1 ? undefined : { token: token(), payload, given: 0 };
}
