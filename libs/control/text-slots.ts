/** Memory comes from the system in slabs of this size. A larger text gets a slab of its own. */
const SLAB_BYTES = 1_048_576;
/** A slot is a multiple of this, so a text that grew a little mostly fits into a slot that another one gave back. */
const GRAIN_BYTES = 64;
const LENGTH_BYTES = 4;

/**
 * Texts outside of the heap, next to one another in large slabs. A buffer for each text would cost 350 bytes more, half of
 * them in the heap. The next text of its size reuses a returned slot; slabs are never returned to the system.
 */
export class TextSlots {
  private readonly slabs: Buffer[] = [];
  /** Returned slots by their size in grains. */
  private readonly free = new Map<number, number[]>();
  private used = SLAB_BYTES;

  /** Copies a text in, and answers its slot. */
  put(text: string): number {
    const bytes = Buffer.byteLength(text, 'utf8');
    const grains = grainsOf(bytes);
    const slot = this.free.get(grains)?.pop() ?? this.fresh(grains * GRAIN_BYTES);
    const [slab, offset] = this.at(slot);
    slab.writeUInt32LE(bytes, offset);
    slab.write(text, offset + LENGTH_BYTES, bytes, 'utf8');
    return slot;
  }

  get(slot: number): string {
    const [slab, offset] = this.at(slot);
    const start = offset + LENGTH_BYTES;
    return slab.toString('utf8', start, start + slab.readUInt32LE(offset));
  }

  /** Returns a slot. */
  delete(slot: number): void {
    const [slab, offset] = this.at(slot);
    const grains = grainsOf(slab.readUInt32LE(offset));
    const same = this.free.get(grains);
    if (same === undefined) this.free.set(grains, [slot]);
    else same.push(slot);
  }

  private fresh(bytes: number): number {
    if (this.used + bytes > SLAB_BYTES) {
      this.slabs.push(Buffer.allocUnsafeSlow(Math.max(bytes, SLAB_BYTES)));
      this.used = 0;
    }
    const slot = (this.slabs.length - 1) * SLAB_BYTES + this.used;
    this.used += bytes;
    return slot;
  }

  private at(slot: number): [slab: Buffer, offset: number] {
    const slab = this.slabs[Math.floor(slot / SLAB_BYTES)];
    if (slab === undefined) throw new RangeError('no such slot');
    return [slab, slot % SLAB_BYTES];
  }
}

const grainsOf = (bytes: number): number => Math.ceil((bytes + LENGTH_BYTES) / GRAIN_BYTES);
