import type { Level } from '../../vocabulary/words.js';
import { CHECKS } from './checks.js';
import type { RuleFile } from './rules.js';
import type { FoundSpan } from './spans.js';

interface NamedRule {
  readonly type: string;
  readonly level: Level;
  readonly check: string;
  /** Its place in the pack. */
  readonly order: number;
}

export interface FieldRules {
  /** Whether the last words of a field say that its value is a secret. */
  names(field: string): boolean;
  /** The span of a whole value whose field says that it is a secret, or none. */
  spans(text: string, field: string): readonly FoundSpan[];
}

export function fieldsOf(files: readonly RuleFile[]): FieldRules {
  const rules = new Map<string, NamedRule[]>();
  for (const [fileIndex, { prefix, fields }] of files.entries()) {
    for (const [index, { kind, level, names, check }] of fields.entries()) {
      const rule = { type: `${prefix}:${kind}`, level, check, order: fileIndex * 10_000 + 5_000 + index };
      for (const name of names) rules.set(name, [...(rules.get(name) ?? []), rule]);
    }
  }
  return {
    names: (field) => rulesFor(rules, wordsOf(field)).length > 0,
    spans(text, field) {
      const named = rulesFor(rules, wordsOf(field));
      const value = named.length === 0 ? '' : text.trim();
      if (value === '') return NO_SPANS;
      const start = text.indexOf(value);
      const end = start + value.length;
      const candidate = { text, start, end, value };
      return named
        .filter(({ check }) => CHECKS[check]?.(candidate) === true)
        .map(({ type, level, order }) => ({ start, end, type, level, order }));
    },
  };
}

const NO_SPANS: readonly FoundSpan[] = [];

/** The rules of the names that a field ends with: all of its words, or fewer of them. */
function rulesFor(rules: ReadonlyMap<string, readonly NamedRule[]>, words: string): readonly NamedRule[] {
  const found: NamedRule[] = [];
  for (let at = 0; ;) {
    const named = rules.get(words.slice(at));
    if (named !== undefined) found.push(...named);
    const end = words.indexOf('_', at);
    if (end < 0) return found;
    at = end + 1;
  }
}

/** `dbPassword`, `DB-PASSWORD` and `/db/password` as `db_password`. */
function wordsOf(field: string): string {
  if (ONE_WORD.test(field)) return field;
  return field
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '');
}

const ONE_WORD = /^[a-z0-9]*$/;
