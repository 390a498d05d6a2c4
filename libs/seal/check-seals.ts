import { defined } from '../kernel/defined.js';
import type { MapLeaf } from '../transparency/completeness.js';
import { MemoryLeaves } from '../transparency/completeness-map.js';
import { openCheckpoint, parseCheckpoint } from '../transparency/checkpoint.js';
import { hashText, type Hash } from '../transparency/hash.js';
import type { NoteVerifier } from '../transparency/note.js';
import { GrowingTree, type NodeListener } from '../transparency/tree.js';
import { SealFault } from './fault.js';
import { compareHead, Ledger, NO_COUNTS, type SealedStreams } from './ledger.js';
import type { Checkpointed, LeafEvent } from './seal-log.js';

/** The leaves of the map in memory, for a walk over a whole log. */
export class WalkedStreams extends MemoryLeaves implements SealedStreams {
  private readonly byKey = new Map<string, MapLeaf>();

  find(key: Hash): MapLeaf | undefined {
    return this.byKey.get(hashText(key));
  }

  override put(leaves: readonly MapLeaf[]): void {
    for (const leaf of leaves) this.byKey.set(hashText(leaf.key), leaf);
    super.put(leaves);
  }
}

/**
 * Holds the events of a log against its checkpoints, one after the other. The first checkpoint that differs names the
 * events between it and the one before. Later ones are not compared: each of them would differ too.
 */
export class SealCheck {
  private readonly ledger: Ledger;
  private at = 0;
  private isLost = false;
  private afterLast = 0;

  /**
   * `checkpoints`: all of the log, in order. `keyOf`: the key of the log by the origin of a checkpoint. `onNode` gets each
   * node of the tree.
   */
  constructor(
    private readonly checkpoints: readonly Checkpointed[],
    private readonly keyOf: (origin: string) => NoteVerifier | undefined,
    private readonly damaged: (place: string) => void,
    onNode?: NodeListener,
  ) {
    const tree = GrowingTree.empty();
    this.ledger = new Ledger(defined({ tree, streams: new WalkedStreams(), counts: NO_COUNTS, onNode }));
    let size = 0;
    for (const checkpoint of checkpoints) {
      const fault = this.faultOf(checkpoint, size);
      if (fault !== undefined) damaged(`checkpoint ${checkpoint.revision} (size ${checkpoint.size}): ${fault}`);
      size = checkpoint.size;
    }
  }

  /** Takes an event that is a leaf, in order of position. */
  add(event: LeafEvent): void {
    this.sealBefore(Number(event.position));
    if (this.at >= this.checkpoints.length) this.afterLast += 1;
    if (this.isLost) return;
    try {
      this.ledger.add(event);
    } catch (error) {
      this.lose(error);
    }
  }

  /** Compares the checkpoints that are left. Returns how many agree, up to which position, and the events that none has. */
  end(): { readonly agreeing: number; readonly through: number; readonly unsealed: number } {
    this.sealBefore(Infinity);
    const agreeing = this.isLost ? this.at - 1 : this.at;
    const through = Number(this.checkpoints[agreeing - 1]?.data.through ?? 0);
    return { agreeing, through, unsealed: this.afterLast };
  }

  private sealBefore(position: number): void {
    for (; !this.isLost; this.at += 1) {
      const next = this.checkpoints[this.at];
      if (next === undefined || Number(next.data.through) >= position) return;
      try {
        compareHead(next.revision, next.data, this.ledger.seal());
      } catch (error) {
        this.lose(error, `: positions ${this.before() + 1} to ${next.data.through}`);
      }
    }
  }

  private before(): number {
    return Number(this.checkpoints[this.at - 1]?.data.through ?? 0);
  }

  private lose(error: unknown, where = ''): void {
    if (!(error instanceof SealFault)) throw error;
    this.isLost = true;
    this.damaged(`${error.message}${where}`);
  }

  private faultOf({ note, data }: Checkpointed, before: number): string | undefined {
    const parsed = parseCheckpoint(note);
    if (!parsed.ok) return parsed.error;
    const key = this.keyOf(parsed.value.origin);
    if (key !== undefined) {
      const opened = openCheckpoint(note, key);
      if (!opened.ok) return opened.error;
    }
    if (parsed.value.size !== data.size || hashText(parsed.value.root) !== data.root)
      return 'the signed checkpoint is not the recorded one';
    return data.size > before ? undefined : 'the tree is not larger than the one before';
  }
}
