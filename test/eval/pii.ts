import { CURRENT_PACK, packOf } from '../../libs/content/detect/packs.js';
import { readCorpus, type CorpusRow } from './corpora.js';
import type { EvalRow } from './secrets.js';
import { wilson } from './wilson.js';

/** Our types for the labels that a format or a check digit can decide. Names, places and dates are not detected. */
const TYPES: Readonly<Record<string, string>> = {
  CREDIT_CARD: 'pii:card',
  EMAIL_ADDRESS: 'pii:email',
  IBAN_CODE: 'pii:iban',
  IP_ADDRESS: 'pii:ip',
  PHONE_NUMBER: 'pii:phone',
  US_SSN: 'pii:ssn',
};

export type Half = 'tuned' | 'held out';

/** The half of a row: by the number of its template, so that no template is in both. Context words were chosen on the first. */
export const halfOf = ({ id }: CorpusRow): Half => (Number(/t(\d+)/.exec(id)?.[1]) % 2 === 0 ? 'tuned' : 'held out');

/** Recall and precision of each type in one half of the labelled sentences. */
export function evaluatePii(half: Half): readonly EvalRow[] {
  const pack = packOf(CURRENT_PACK);
  const counts = new Map(Object.values(TYPES).map((type) => [type, { found: 0, labelled: 0, right: 0, reported: 0 }]));
  for (const row of readCorpus('extra-pii').filter((each) => halfOf(each) === half)) {
    const labels = (row.spans ?? []).map(([start, end, name]) => ({ start, end, type: TYPES[name] }));
    const spans = pack?.detect(row.text) ?? [];
    for (const { start, end, type } of labels) {
      const count = counts.get(type ?? '');
      if (count === undefined) continue;
      count.labelled += 1;
      if (spans.some((span) => span.type === type && span.start <= start && span.end >= end)) count.found += 1;
    }
    for (const span of spans) {
      const count = counts.get(span.type) ?? { found: 0, labelled: 0, right: 0, reported: 0 };
      counts.set(span.type, count);
      count.reported += 1;
      if (labels.some(({ start, end, type }) => type === span.type && span.start < end && span.end > start))
        count.right += 1;
    }
  }
  return [...counts].map(([name, { found, labelled, right, reported }]) => ({
    name,
    recall: wilson(found, labelled),
    precision: wilson(right, reported),
  }));
}
