const WAITING = 0;
const TAKEN = 1;
const TAKEN_BACK = 2;

/**
 * Decides in one atomic step whether the writer or the caller has a batch: the first one to claim it. Each batch that
 * waits has a cell in memory that both threads share.
 */
export class Claims {
  private readonly cells: Int32Array<SharedArrayBuffer>;

  constructor(shared: SharedArrayBuffer) {
    this.cells = new Int32Array(shared);
  }

  /** The writer takes a batch. False if its caller has taken it back: nothing of it may be written. */
  take(cell: number): boolean {
    return Atomics.compareExchange(this.cells, cell, WAITING, TAKEN) === WAITING;
  }

  /** The caller takes a batch back. False if the writer has taken it. */
  takeBack(cell: number): boolean {
    return Atomics.compareExchange(this.cells, cell, WAITING, TAKEN_BACK) !== TAKEN;
  }

  /** Whether the writer has taken a batch: if not, nothing of it was written. */
  isTaken(cell: number): boolean {
    return Atomics.load(this.cells, cell) === TAKEN;
  }

  /** Gives a cell to the next batch. */
  reset(cell: number): void {
    Atomics.store(this.cells, cell, WAITING);
  }
}

/** The cells of a queue; the writer's thread sees the same memory. */
export class ClaimCells extends Claims {
  readonly shared: SharedArrayBuffer;
  private readonly free: number[];

  /** `count`: as many batches as may wait at once. */
  constructor(count: number) {
    const shared = new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT);
    super(shared);
    this.shared = shared;
    this.free = Array.from({ length: count }, (_, cell) => count - 1 - cell);
  }

  /** A cell for a batch that begins to wait. Throws a RangeError if more wait than there are cells. */
  open(): number {
    const cell = this.free.pop();
    if (cell === undefined) throw new RangeError('more batches wait than there are cells');
    this.reset(cell);
    return cell;
  }

  /** The batch has its answer. */
  close(cell: number): void {
    this.free.push(cell);
  }
}
