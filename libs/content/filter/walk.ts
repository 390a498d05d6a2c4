import { pointerTo, type JsonPointer } from '../../kernel/pointer.js';
import { BoundedPath } from '../bounded-pointer.js';
import { redacted as withoutSpans, type DetectedSpan } from '../detect/spans.js';
import { isAbove } from '../../vocabulary/levels.js';
import { fieldBelow, NO_FIELD, type Field } from './field.js';
import type { ContentLabel } from './label.js';
import { LabelList } from './label-list.js';
import { categoryCleaner, isLongName, LONG_NAME } from './names.js';
import type {
  Detecting,
  FilterRecord,
  FilterRefusal,
  LabelOrigin,
  RecordedItem,
  RecordedLabel,
  Redaction,
  SentLabel,
} from './shapes.js';
import type { Level } from '../../vocabulary/words.js';

/** A span that has to be redacted is still there after all spans were: nothing of the request may be sent. */
export class SpanSurvived extends Error {
  override readonly name = 'SpanSurvived';
}

/** Of each list in an answer and in a record. Further entries are counted at a place above them. */
export const MAX_LISTED = 256;

const isSecret = (type: string): boolean => type.startsWith('secret:');

/** A text without the spans that may not leave, what was redacted by type, and the label of the spans that stay. */
export interface Redacted {
  readonly text: string;
  readonly counts: ReadonlyMap<string, number>;
  readonly kept: readonly DetectedSpan[];
}

const NONE: ReadonlySet<string> = new Set();

/** Searches texts by one pack, and redacts what the sensitivity of the capability does not permit. */
export class Redactor {
  private readonly cleanCategory: (category: string) => string;

  constructor(
    private readonly pack: Detecting,
    private readonly sensitivity: Level,
  ) {
    this.cleanCategory = categoryCleaner(pack);
  }

  /** Undefined if the text has no spans. Throws `SpanSurvived` if a second search still finds one to redact. */
  redact(text: string, field: Field, accepts: ReadonlySet<string> = NONE): Redacted | undefined {
    const spans = this.pack.detect(text, field);
    if (spans.length === 0) return undefined;
    const counts = new Map<string, number>();
    const kept: DetectedSpan[] = [];
    const gone: DetectedSpan[] = [];
    for (const span of spans) (this.mustGo(span, accepts) ? gone : kept).push(span);
    if (gone.length === 0) return { text, counts, kept };
    for (const { type } of gone) counts.set(type, (counts.get(type) ?? 0) + 1);
    const redacted = withoutSpans(text, gone);
    const left = this.pack.detect(redacted, field);
    if (left.some((span) => this.mustGo(span, accepts))) throw new SpanSurvived();
    return { text: redacted, counts, kept };
  }

  /** Whether a text has no span at all. */
  isClean(text: string, field = NO_FIELD): boolean {
    return this.pack.detect(text, field).length === 0;
  }

  /** The field of a member. */
  below(above: Field, name: string): Field {
    return fieldBelow(above, name, this.pack);
  }

  /** The name of a member without any span, and the type of a span that may not leave. Undefined if it has no spans. */
  name(name: string, accepts: ReadonlySet<string> = NONE): { clean: string; mustGo: string | undefined } | undefined {
    const spans = this.pack.detect(name, {});
    if (spans.length === 0) return undefined;
    return { clean: withoutSpans(name, spans), mustGo: spans.find((span) => this.mustGo(span, accepts))?.type };
  }

  /** Categories of a caller, which are recorded at any level: without any span. */
  categories(names: readonly string[]): string[] {
    return names.map(this.cleanCategory);
  }

  /** The source that a caller states for a label. It is sent with the label. */
  labelSource(source: string): string {
    return isLongName(source) ? LONG_NAME : this.clean(source);
  }

  /** The text alone, for names that come along with content. */
  clean(text: string): string {
    return this.redact(text, NO_FIELD)?.text ?? text;
  }

  /** A span of an accepted type whose level is higher than that type's overlaps something that is not accepted. */
  private mustGo({ type, level }: DetectedSpan, accepts: ReadonlySet<string>): boolean {
    if (!isSecret(type) && !isAbove(level, this.sensitivity)) return false;
    return !accepts.has(type) || isAbove(level, this.pack.levelOf(type) ?? 'public');
  }
}

/** A label of a value and of everything in it. */
export interface ValueLabel extends ContentLabel {
  readonly by: LabelOrigin;
  readonly source: string;
}

/** The labels of a place, and of the places below it by their names. */
export class LabelNode {
  readonly labels: ValueLabel[] = [];
  readonly below = new Map<string, LabelNode>();

  get isEmpty(): boolean {
    return this.labels.length === 0 && this.below.size === 0;
  }

  /** The place that names lead to; it is made if it is new. */
  at(names: readonly string[]): LabelNode {
    return names.reduce<LabelNode>((node, name) => node.child(name), this);
  }

  private child(name: string): LabelNode {
    const child = this.below.get(name) ?? new LabelNode();
    this.below.set(name, child);
    return child;
  }
}

/** A place in the arguments, spelled for each reader. */
export class ArgumentPlace {
  /** As the request has it. */
  private readonly raw: (string | number)[] = [];
  /** Without spans, for the answer. */
  private readonly clean = new BoundedPath('arguments');
  /** Of names that only the caller has, `*`. */
  private readonly safe = new BoundedPath('arguments');
  /** In what is sent: an item moves up if one before it is taken out. */
  private readonly sent = new BoundedPath('arguments');
  private readonly fields: Field[] = [];
  /** The labels of this place and of each one above; undefined below a place without any. */
  private readonly labels: (LabelNode | undefined)[];

  constructor(
    private readonly redactor: Redactor,
    labels: LabelNode,
  ) {
    this.labels = [labels];
  }

  push(raw: string | number, more: { clean?: string; isKnown?: boolean; to?: number } = {}): void {
    this.raw.push(raw);
    this.clean.push(more.clean ?? raw);
    this.safe.push(more.isKnown === false ? '*' : raw);
    this.sent.push(more.to ?? more.clean ?? raw);
    this.fields.push(typeof raw === 'string' ? this.redactor.below(this.field, raw) : this.field);
    this.labels.push(this.labels.at(-1)?.below.get(String(raw)));
  }

  pop(): void {
    for (const segments of [this.raw, this.clean, this.safe, this.sent, this.fields, this.labels]) segments.pop();
  }

  /** The pointer into the arguments. It may be long: it is not for each value. */
  get own(): JsonPointer {
    return pointerTo(...this.raw);
  }

  get shown(): JsonPointer {
    return this.clean.text;
  }

  get recorded(): JsonPointer {
    return this.safe.text;
  }

  get to(): JsonPointer {
    return this.sent.text;
  }

  /** The labels of this very place. */
  get ownLabels(): readonly ValueLabel[] {
    return this.labels.at(-1)?.labels ?? [];
  }

  get field(): Field {
    return this.fields.at(-1) ?? NO_FIELD;
  }
}

/** The pointers of one place: for the answer, for the record, and into what is sent. */
interface Pointers {
  readonly shown: JsonPointer;
  readonly recorded: JsonPointer;
  readonly to: JsonPointer;
}

/** Something that was taken out of the arguments. */
interface Taken {
  /** Into the arguments. */
  readonly own: JsonPointer;
  readonly recorded: JsonPointer;
  readonly type: string;
}

const takenAt = ({ own, recorded }: ArgumentPlace, type: string): Taken => ({ own, recorded, type });

/** The work of the filter. Each list but that of refused context items is bounded. */
export class Notes {
  readonly taken: Taken[] = [];
  /** The first text that names or addresses something, and would name something else without its spans. */
  renamed: Taken | undefined;
  readonly refusals: FilterRefusal[] = [];
  private readonly sentLabels = new LabelList<string>(
    MAX_LISTED,
    () => '',
    (one, other) => (one === other ? one : 'several'),
  );
  private readonly labels: RecordedLabel[] = [];
  private readonly redactions = new Map<string, Redaction>();
  private readonly recorded = new Map<string, Redaction>();
  private readonly recordedRefusals: FilterRefusal[] = [];

  redacted(place: Pointers, counts: ReadonlyMap<string, number>): void {
    for (const [type, count] of counts) {
      add(this.redactions, place.shown, type, count);
      add(this.recorded, place.recorded, type, count);
    }
  }

  /** A value of the arguments is taken out whole. */
  takenOut(place: ArgumentPlace, type: string): void {
    this.redacted(place, new Map([[type, 1]]));
    this.took(place, type);
  }

  /** A value is no longer what the request has. */
  took(place: ArgumentPlace, type: string): void {
    if (this.taken.length < MAX_LISTED) this.taken.push(takenAt(place, type));
  }

  misdirected(place: ArgumentPlace, type: string): void {
    this.renamed ??= takenAt(place, type);
  }

  tooLong(place: ArgumentPlace): void {
    const reason = 'context_too_large';
    this.took(place, reason);
    this.refused(place, reason);
  }

  refused({ shown, recorded }: Omit<Pointers, 'to'>, reason: FilterRefusal['reason']): void {
    this.refusals.push({ path: shown, reason });
    if (this.recordedRefusals.length < MAX_LISTED) this.recordedRefusals.push({ path: recorded, reason });
  }

  labelled(place: Pointers, label: ContentLabel, by: RecordedLabel['by'], source: string): void {
    this.sentLabels.add(place.to, label, source);
    this.noted(place, label, by);
  }

  noted({ recorded }: Pick<Pointers, 'recorded'>, label: ContentLabel, by: RecordedLabel['by']): void {
    const { level, categories } = label;
    if (level !== 'public') this.labels.push({ path: recorded, level, categories, by });
  }

  /** The labels of what is sent, one for each place. */
  get sent(): SentLabel[] {
    return this.sentLabels.all.map(({ path, label: { level, categories }, of: source }) => ({
      path,
      level,
      categories,
      source,
    }));
  }

  get allRedactions(): Redaction[] {
    return [...this.redactions.values()];
  }

  record(items: readonly RecordedItem[]): FilterRecord {
    const { recordedRefusals: refusals } = this;
    const labels = this.labels.length > MAX_LISTED ? joinedLabels(this.labels) : this.labels;
    return { redactions: [...this.recorded.values()], refusals, labels, items };
  }
}

/** Labels of one place and origin are joined; labels of too many places, at the places above them. */
function joinedLabels(labels: readonly RecordedLabel[]): RecordedLabel[] {
  const list = new LabelList<RecordedLabel['by']>(
    MAX_LISTED,
    (by) => by,
    (by) => by,
  );
  for (const label of labels) list.add(label.path, label, label.by);
  return list.all.map(({ path, label: { level, categories }, of: by }) => ({ path, level, categories, by }));
}

/** Counts by place and type; beyond the limit of places, by type alone. */
function add(counts: Map<string, Redaction>, path: JsonPointer, type: string, count: number): void {
  const key = counts.size < MAX_LISTED || counts.has(`${path} ${type}`) ? path : '/arguments';
  const before = counts.get(`${key} ${type}`)?.count ?? 0;
  counts.set(`${key} ${type}`, { path: key, type, count: before + count });
}
