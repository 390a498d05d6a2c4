import { CHECKS } from './checks.js';
import type { RuleFile } from './rules.js';
import type { FoundSpan } from './spans.js';

/** The span of a whole value whose field says that it is a secret, or none. */
export function fieldSpans(files: readonly RuleFile[], text: string, field: string): FoundSpan[] {
  const words = wordsOf(field);
  const value = text.trim();
  if (words === '' || value === '') return [];
  const start = text.indexOf(value);
  return files.flatMap(({ prefix, fields }, fileIndex) =>
    fields.flatMap(({ kind, level, names, check }, index) => {
      const isNamed = names.some((name) => words === name || words.endsWith(`_${name}`));
      const candidate = { text, start, end: start + value.length, value };
      if (!isNamed || CHECKS[check]?.(candidate) !== true) return [];
      return [
        {
          start,
          end: start + value.length,
          type: `${prefix}:${kind}`,
          level,
          order: fileIndex * 10_000 + 5_000 + index,
        },
      ];
    }),
  );
}

/** `dbPassword`, `DB-PASSWORD` and `/db/password` as `db_password`. */
const wordsOf = (field: string): string =>
  field
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '');
