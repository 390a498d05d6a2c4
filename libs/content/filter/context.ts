import { pointerTo } from '../../kernel/pointer.js';
import { DEFAULT_CONTEXT_BYTES } from '../../vocabulary/context.js';
import { isAbove } from '../../vocabulary/levels.js';
import { NO_FIELD } from './field.js';
import { joinOf, labelOf, type ContentLabel } from './label.js';
import { matchedSource } from './needed.js';
import type { Denial, FilterInput, LabelOrigin, OfferedItem, RecordedItem, RefusalReason } from './shapes.js';
import type { Notes, Redactor } from './walk.js';

export interface FilteredContext {
  readonly sent: readonly OfferedItem[];
  readonly items: readonly RecordedItem[];
  readonly obligations: readonly string[];
  /** A required item is refused. */
  readonly denial: Denial | undefined;
}

/** Context items: the source is needed, the level is allowed, the size is allowed; then spans are redacted. */
export function filterContext(input: FilterInput, redactor: Redactor, notes: Notes): FilteredContext {
  const sent: OfferedItem[] = [];
  const items: RecordedItem[] = [];
  const obligations: string[] = [];
  let denial: Denial | undefined;
  for (const [index, item] of input.context.entries()) {
    const path = pointerTo('context', index);
    const need = matchedSource(input.needs.context, item.source);
    const bytes = Buffer.byteLength(item.content);
    const own = ownLabel(item, input, redactor);
    const label = joinOf([own, ...input.flow.filter((each) => each.path === path)]);
    const reason = reasonToRefuse(input, need, label, bytes);
    if (reason === undefined) {
      const by = raises(label, own) ? 'flow' : item.level === undefined ? 'default' : 'stated';
      const whole = sentItem(item, { path, place: sent.length, label, by }, redactor, notes);
      sent.push(whole);
      items.push({ path, bytes, level: whole.level, categories: whole.categories, sent: true, need });
      continue;
    }
    items.push({ path, bytes, ...label, sent: false, need });
    notes.refused({ shown: path, recorded: path }, reason);
    if (reason === 'context_too_large') obligations.push(`summarise:${item.id}`);
    if (item.required === true) denial ??= { reason, evidence: { path } };
  }
  return { sent, items, obligations, denial };
}

function reasonToRefuse(
  { needs, sensitivity }: FilterInput,
  need: string | undefined,
  { level }: ContentLabel,
  bytes: number,
): RefusalReason | undefined {
  if (need === undefined) return 'context_not_needed';
  if (isAbove(level, sensitivity)) return 'context_above_sensitivity';
  return bytes > (needs.contextBytes ?? DEFAULT_CONTEXT_BYTES) ? 'context_too_large' : undefined;
}

/** The label that the caller or the setting gives an item. */
const ownLabel = ({ level, categories = [] }: OfferedItem, { contextLevel }: FilterInput, redactor: Redactor) =>
  labelOf(level ?? contextLevel, redactor.categories(categories));

/** Whether a label that is at least another one is more than it. */
const raises = (label: ContentLabel, own: ContentLabel): boolean =>
  label.level !== own.level || label.categories.some((category) => !own.categories.includes(category));

/** An item that may be sent: its place in the request and in the outbound content, and its label before anything is detected. */
interface Admitted {
  readonly path: string;
  readonly place: number;
  readonly label: ContentLabel;
  readonly by: LabelOrigin;
}

function sentItem(
  { id, source, content, mimeType }: OfferedItem,
  { path, place, label: own, by }: Admitted,
  redactor: Redactor,
  notes: Notes,
): OfferedItem & ContentLabel {
  const redacted = redactor.redact(content, NO_FIELD);
  const to = pointerTo('context', place);
  const inContent = `${path}/content`;
  if (redacted !== undefined) notes.redacted({ shown: inContent, recorded: inContent, to }, redacted.counts);
  const kept = (redacted?.kept ?? []).map(({ level, type }) => ({ level, categories: [type] }));
  const label = joinOf([own, ...kept]);
  const cleanSource = redactor.clean(source);
  notes.labelled({ shown: path, recorded: path, to }, label, kept.length > 0 ? 'detected' : by, cleanSource);
  return {
    id: redactor.clean(id),
    source: cleanSource,
    level: label.level,
    categories: label.categories,
    content: redacted?.text ?? content,
    ...(mimeType === undefined ? {} : { mimeType: redactor.clean(mimeType) }),
  };
}
