import type { JsonPointer } from '../../kernel/pointer.js';
import { Level } from '../../vocabulary/words.js';
import { joinOf, type ContentLabel } from './label.js';

/** A label of a place. Labels of one place and one key are joined. */
interface Placed<Of> {
  readonly path: JsonPointer;
  readonly label: ContentLabel;
  readonly of: Of;
  readonly key: string;
}

/**
 * The labels of places. A label covers everything below its place, so labels that are too many are joined at the
 * places above them. None is lost, and labels of a high level are the last to be joined.
 */
export class LabelList<Of> {
  private readonly labels = new Map<string, Placed<Of>>();

  /** Labels of one place with another key stay apart. */
  constructor(
    private readonly most: number,
    private readonly keyOf: (of: Of) => string,
    private readonly joined: (one: Of, other: Of) => Of,
  ) {}

  add(path: JsonPointer, label: ContentLabel, of: Of): void {
    this.put({ path, label, of, key: this.keyOf(of) });
  }

  /** At most as many as the limit, each place and key once. */
  get all(): readonly Omit<Placed<Of>, 'key'>[] {
    if (this.labels.size > this.most) this.dropEmpty();
    while (this.labels.size > this.most && this.fold());
    return [...this.labels.values()];
  }

  private put(added: Placed<Of>): void {
    const id = `${added.key} ${added.path}`;
    const known = this.labels.get(id);
    if (known === undefined) return void this.labels.set(id, added);
    const label = joinOf([known.label, added.label]);
    this.labels.set(id, { ...known, label, of: this.joined(known.of, added.of) });
  }

  /** A place without a label is public. */
  private dropEmpty(): void {
    for (const [id, { label }] of this.labels)
      if (label.level === 'public' && label.categories.length === 0) this.labels.delete(id);
  }

  /** Joins labels that share a place above, the lowest levels first; else all of the deepest places. False if none is below another. */
  private fold(): boolean {
    const groups = new Map<string, Placed<Of>[]>();
    for (const placed of this.labels.values()) {
      const above = placed.path.slice(0, placed.path.lastIndexOf('/'));
      if (above === '') continue;
      const id = `${placed.key} ${above}`;
      const group = groups.get(id);
      if (group === undefined) groups.set(id, [placed]);
      else group.push(placed);
    }
    const fewer = [...groups]
      .filter(([id, group]) => group.length > 1 || this.labels.has(id))
      .map(([, group]) => group);
    if (fewer.length === 0) return this.foldDeepest([...groups.values()].flat());
    for (const group of fewer.sort((one, other) => rankOf(one) - rankOf(other) || other.length - one.length)) {
      if (this.labels.size <= this.most) break;
      this.foldAll(group);
    }
    return true;
  }

  private foldDeepest(labels: readonly Placed<Of>[]): boolean {
    const depth = Math.max(0, ...labels.map(depthOf));
    this.foldAll(labels.filter((each) => depthOf(each) === depth));
    return labels.length > 0;
  }

  private foldAll(labels: readonly Placed<Of>[]): void {
    for (const placed of labels) {
      const id = `${placed.key} ${placed.path}`;
      // Another group may have raised it meanwhile.
      const now = this.labels.get(id) ?? placed;
      this.labels.delete(id);
      this.put({ ...now, path: placed.path.slice(0, placed.path.lastIndexOf('/')) });
    }
  }
}

const depthOf = ({ path }: { readonly path: string }): number => path.split('/').length;

const rankOf = (group: readonly { readonly label: { readonly level: Level } }[]): number =>
  Math.max(...group.map(({ label }) => Level.options.indexOf(label.level)));
