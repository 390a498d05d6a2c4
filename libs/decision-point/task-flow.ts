import type { ContextFiltered } from '../calls/events.js';
import { joinOf, PUBLIC, type ContentLabel } from '../content/filter/label.js';

/** Takes one addition back out. */
export type Undo = () => void;

/** Fingerprints that one task keeps. Above that, it counts as `strict`. */
export const MAX_FINGERPRINTS = 65_536;
/** Context items whose labels one task keeps by their ids. The label of another is the highest known. */
const MAX_ITEMS = 4096;
/** Approximate memory of a fingerprint and of a known item, in bytes. */
const FINGERPRINT_BYTES = 48;
const ITEM_BYTES = 160;

/** Content of a task that its events name, and whose record has not been read yet. */
export interface EarlierContent {
  readonly stream: string;
  readonly revision: number;
  readonly callId: string;
  /** Of a response. Absent for a decision, whose items have the labels of `items`. */
  readonly label?: ContentLabel | undefined;
  readonly items?: ContextFiltered['items'] | undefined;
  /** The decision let its items out. */
  readonly allowed?: boolean | undefined;
}

/** Content of the task, as later calls may repeat it. */
export interface FlowSource {
  /** The id of a call for its response, or `<call>/context/<index>`. */
  readonly source: string;
  readonly label: ContentLabel;
}

/**
 * The content that one task has seen so far: fingerprints of delivered responses and admitted context items with their labels, the
 * labels of context items by their ids, and the highest label of all. It holds no text.
 */
export class TaskFlow {
  /** The highest label that any delivered response or admitted context item had. */
  private highest: ContentLabel = PUBLIC;
  private readonly prints = new Map<number, FlowSource>();
  private readonly items = new Map<string, ContentLabel>();
  private overflowing = false;

  /** The task has more content than can be compared. */
  get full(): boolean {
    return this.overflowing;
  }

  get highWater(): ContentLabel {
    return this.highest;
  }

  get isEmpty(): boolean {
    return this.prints.size === 0;
  }

  /** Approximate memory, in bytes. */
  get bytes(): number {
    return this.prints.size * FINGERPRINT_BYTES + this.items.size * ITEM_BYTES;
  }

  /** Adds content that was delivered or admitted. `prints` is undefined if it could not be read: then the task is full. */
  add({ source, label }: FlowSource, prints: Float64Array | undefined): Undo {
    const { highest } = this;
    const before: [number, FlowSource | undefined][] = [];
    this.highest = joinOf([highest, label]);
    if (prints === undefined) this.overflowing = true;
    for (const print of prints ?? []) {
      const known = this.prints.get(print);
      if (known === undefined && this.prints.size >= MAX_FINGERPRINTS) {
        this.overflowing = true;
        break;
      }
      before.push([print, known]);
      this.prints.set(print, known === undefined ? { source, label } : joined(known, { source, label }));
    }
    return () => {
      this.highest = highest;
      for (const [print, known] of before.reverse()) {
        if (known === undefined) this.prints.delete(print);
        else this.prints.set(print, known);
      }
    };
  }

  /** Remembers the label of a context item, sent or not: what is derived from it has at least that. */
  offer(id: string, label: ContentLabel): Undo {
    const known = this.items.get(id);
    if (known === undefined && this.items.size >= MAX_ITEMS) return () => undefined;
    this.items.set(id, known === undefined ? label : joinOf([known, label]));
    return () => {
      if (known === undefined) this.items.delete(id);
      else this.items.set(id, known);
    };
  }

  labelOfItem(id: string): ContentLabel | undefined {
    return this.items.get(id);
  }

  /** The content that a text with these fingerprints repeats, with its labels: one entry for each source. */
  repeatedBy(prints: Float64Array): FlowSource[] {
    const found = new Map<string, FlowSource>();
    for (const print of prints) {
      const known = this.prints.get(print);
      if (known !== undefined) found.set(known.source, joined(found.get(known.source) ?? known, known));
    }
    return [...found.values()];
  }
}

/** Text of two sources has the labels of both. The first names it. */
function joined(one: FlowSource, other: FlowSource): FlowSource {
  if (one.label === other.label) return one;
  return { source: one.source, label: joinOf([one.label, other.label]) };
}
