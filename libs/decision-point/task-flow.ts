import type { ContextFiltered, DecisionInputs, FlowLabel } from '../calls/events.js';
import type { ContextItem } from '../calls/requests.js';
import { joinOf, labelOf, PUBLIC, type ContentLabel } from '../content/filter/label.js';
import { pointerTo } from '../kernel/pointer.js';
import { isAbove } from '../vocabulary/levels.js';

/** Fingerprints that one task keeps. Above that, it counts as `strict`. */
export const MAX_FINGERPRINTS = 65_536;
/** Context items whose labels one task keeps by their ids. The label of another is the highest known. */
const MAX_ITEMS = 4096;
/** Different labels of one task. Above that, it counts as `strict`: hostile labels must not make each addition slow. */
const MAX_LABELS = 256;
/** Approximate memory of a fingerprint, of a known item and of a category, in bytes. Measured in Node 24. */
const FINGERPRINT_BYTES = 88;
const ITEM_BYTES = 160;
const CATEGORY_BYTES = 64;

/** Content of a task that its events name, and whose record has not been read yet. */
export interface EarlierContent {
  readonly stream: string;
  readonly revision: number;
  readonly callId: string;
  /** Of a response. Absent for a decision, whose items have the labels of `items`. */
  readonly label?: ContentLabel | undefined;
  readonly items?: ContextFiltered['items'] | undefined;
  /** Of a decision that no filter reached: its items have the labels that the request states, and these. */
  readonly unfiltered?: Pick<DecisionInputs, 'contextLevel' | 'flow'> | undefined;
  /** The decision let its items out. */
  readonly allowed?: boolean | undefined;
}

/** The label of an item that was offered, and that no filter searched: the word of the host, and the labels of flow. `clean` takes content out of categories. */
export function offeredLabel(
  { level, categories = [] }: Pick<ContextItem, 'level' | 'categories'>,
  index: number,
  { contextLevel = 'restricted', flow = [] }: Pick<DecisionInputs, 'contextLevel' | 'flow'>,
  clean: (category: string) => string,
): ContentLabel {
  const path = pointerTo('context', index);
  const flowed = flow.filter((label: FlowLabel) => label.path === path);
  return joinOf([labelOf(level ?? contextLevel, categories.map(clean)), ...flowed]);
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
  /** The highest label that any item had which was offered, sent or not. */
  private offered: ContentLabel = PUBLIC;
  private readonly prints = new Map<number, FlowSource>();
  private readonly items = new Map<string, ContentLabel>();
  /** Each label of the task, once, by its text. Equal labels are the same object. */
  private readonly labels = new Map<string, ContentLabel>();
  private labelBytes = 0;
  private overflowing = false;

  /** The task has more content than can be compared. */
  get full(): boolean {
    return this.overflowing;
  }

  get highWater(): ContentLabel {
    return this.highest;
  }

  get highestOffered(): ContentLabel {
    return this.offered;
  }

  get isEmpty(): boolean {
    return this.prints.size === 0;
  }

  /** Approximate memory, in bytes. */
  get bytes(): number {
    return this.prints.size * FINGERPRINT_BYTES + this.items.size * ITEM_BYTES + this.labelBytes;
  }

  /**
   * Adds content that was delivered or admitted. `prints` is undefined if it could not be read: then the task is full.
   * Nothing takes an addition back out: labels only rise, even if the append with it is refused.
   */
  add({ source, label }: FlowSource, prints: Float64Array | undefined): void {
    this.highest = joinOfTwo(this.highest, label);
    if (prints === undefined) this.overflowing = true;
    const added = { source, label: this.only(label) };
    // Few sources have many fingerprints, so each is joined once.
    const joins = new Map<FlowSource, FlowSource>();
    for (const print of prints ?? []) {
      const known = this.prints.get(print);
      if (known === undefined && this.prints.size >= MAX_FINGERPRINTS) this.overflowing = true;
      else if (known === undefined) this.prints.set(print, added);
      else {
        const join = joins.get(known) ?? this.joined(known, added);
        joins.set(known, join);
        if (join !== known) this.prints.set(print, join);
      }
    }
  }

  /**
   * Remembers the label of a context item, sent or not: everything derived from it has at least that. If the id is unknown
   * or exceeds the limit, the label counts for every unknown item.
   */
  offer(id: string | undefined, label: ContentLabel): void {
    this.offered = joinOfTwo(this.offered, label);
    if (id === undefined) return;
    const known = this.items.get(id);
    if (known === undefined && this.items.size >= MAX_ITEMS) return;
    this.items.set(id, this.only(known === undefined ? label : joinOfTwo(known, label)));
  }

  labelOfItem(id: string): ContentLabel | undefined {
    return this.items.get(id);
  }

  /** The content that a text with these fingerprints repeats, with its labels: one entry for each source. */
  repeatedBy(prints: Float64Array): FlowSource[] {
    const repeated = new Set<FlowSource>();
    for (const print of prints) {
      const known = this.prints.get(print);
      if (known !== undefined) repeated.add(known);
    }
    const found = new Map<string, FlowSource>();
    for (const known of repeated) {
      const { source, label } = found.get(known.source) ?? known;
      found.set(source, { source, label: joinOfTwo(label, known.label) });
    }
    return [...found.values()];
  }

  /** Text of two sources has the labels of both. The first names it. */
  private joined(one: FlowSource, other: FlowSource): FlowSource {
    const label = joinOfTwo(one.label, other.label);
    return label === one.label ? one : { source: one.source, label: this.only(label) };
  }

  /** The one object for a label. One label too many is replaced by the highest, which is at least as high. */
  private only(label: ContentLabel): ContentLabel {
    const name = JSON.stringify([label.level, label.categories]);
    const known = this.labels.get(name);
    if (known !== undefined) return known;
    if (this.labels.size >= MAX_LABELS) {
      this.overflowing = true;
      this.highest = joinOfTwo(this.highest, label);
      return this.highest;
    }
    this.labels.set(name, label);
    this.labelBytes += bytesOfLabel(label) + name.length;
    return label;
  }
}

/** Approximate memory of a label, in bytes. */
export const bytesOfLabel = ({ categories }: ContentLabel): number =>
  categories.reduce((bytes, category) => bytes + CATEGORY_BYTES + category.length, CATEGORY_BYTES);

/** The join of two labels: one of them, if it covers the other. */
export function joinOfTwo(one: ContentLabel, other: ContentLabel): ContentLabel {
  if (covers(one, other)) return one;
  return covers(other, one) ? other : joinOf([one, other]);
}

function covers(one: ContentLabel, other: ContentLabel): boolean {
  if (one === other) return true;
  if (isAbove(other.level, one.level) || other.categories.length > one.categories.length) return false;
  const categories = new Set(one.categories);
  return other.categories.every((category) => categories.has(category));
}
