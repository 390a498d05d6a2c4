import { higher } from '../../vocabulary/levels.js';
import type { Level } from '../../vocabulary/words.js';

/** A piece of content in words: its level, and the kinds of data in it (`secret:<kind>`, `pii:<kind>`, or a name of the host). */
export interface ContentLabel {
  readonly level: Level;
  /** Sorted, each once. */
  readonly categories: readonly string[];
}

/** The label of content of which nothing is known. */
export const PUBLIC: ContentLabel = { level: 'public', categories: [] };

/** The source of a label that is the high-water mark of the task. */
export const WHOLE_TASK = 'task';

/** Categories of one label. Further ones are the category `SEVERAL`. */
export const MAX_CATEGORIES = 64;
/** The category of a label that has more categories than it names. */
export const SEVERAL = 'several';

/** The lowest label that is at least each of the given ones: labels only rise. */
export function joinOf(labels: readonly ContentLabel[]): ContentLabel {
  const [first = PUBLIC, ...others] = new Set(labels);
  if (others.length === 0) return first;
  const level = others.reduce((highest, label) => higher(highest, label.level), first.level);
  return labelOf(
    level,
    [first, ...others].flatMap(({ categories }) => categories),
  );
}

/** A label with categories in any order and number. The kinds that a detector found are kept before names of hosts. */
export function labelOf(level: Level, categories: Iterable<string>): ContentLabel {
  const names = new Set(categories);
  if (names.size <= MAX_CATEGORIES) return { level, categories: [...names].sort() };
  names.delete(SEVERAL);
  const sorted = [...names].sort();
  const first = [...sorted.filter(isDetected), ...sorted.filter((name) => !isDetected(name))].slice(0, MAX_CATEGORIES);
  return { level, categories: [...first, SEVERAL].sort() };
}

const isDetected = (category: string): boolean => /^(?:secret|pii):/.test(category);
