import { pointerTo } from '../../kernel/pointer.js';
import { isAbove, joinOf, type ContentLabel } from './label.js';
import { matchedSource } from './needed.js';
import type { Denial, FilterInput, OfferedItem, RecordedItem, RefusalReason } from './shapes.js';
import type { Notes, Redactor } from './walk.js';

/** Bytes of one context item, if the manifest names no other limit. */
export const DEFAULT_CONTEXT_BYTES = 65_536;

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
    const label = labelOf(item, path, input, redactor);
    const reason = reasonToRefuse(input, need, label, bytes);
    if (reason === undefined) {
      const whole = sentItem(item, path, sent.length, label, redactor, notes);
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

/** The label of an item before anything is detected in it. */
function labelOf(
  item: OfferedItem,
  path: string,
  { contextLevel, flow }: FilterInput,
  redactor: Redactor,
): ContentLabel {
  const categories = (item.categories ?? []).map((each) => redactor.clean(each)).sort();
  const own = { level: item.level ?? contextLevel, categories };
  return joinOf([own, ...flow.filter((label) => label.path === path)]);
}

function sentItem(
  { id, source, level: stated, content, mimeType }: OfferedItem,
  path: string,
  place: number,
  own: ContentLabel,
  redactor: Redactor,
  notes: Notes,
): OfferedItem & ContentLabel {
  const redacted = redactor.redact(content, '');
  const to = pointerTo('context', place);
  const inContent = `${path}/content`;
  if (redacted !== undefined) notes.redacted({ shown: inContent, recorded: inContent, to }, redacted.counts);
  const kept = (redacted?.kept ?? []).map(({ level, type }) => ({ level, categories: [type] }));
  const label = joinOf([own, ...kept]);
  const cleanSource = redactor.clean(source);
  const by = kept.length > 0 ? 'detected' : stated === undefined ? 'default' : 'stated';
  notes.labelled({ shown: path, recorded: path, to }, label, by, cleanSource);
  return {
    id: redactor.clean(id),
    source: cleanSource,
    level: label.level,
    categories: label.categories,
    content: redacted?.text ?? content,
    ...(mimeType === undefined ? {} : { mimeType: redactor.clean(mimeType) }),
  };
}
