import { Level } from '../../vocabulary/words.js';

/** A piece of content in words: its level, and the kinds of data in it (`secret:<kind>`, `pii:<kind>`, or a name of the host). */
export interface ContentLabel {
  readonly level: Level;
  /** Sorted, each once. */
  readonly categories: readonly string[];
}

/** The label of content of which nothing is known. */
export const PUBLIC: ContentLabel = { level: 'public', categories: [] };

const rankOf = (level: Level): number => Level.options.indexOf(level);

export const isAbove = (level: Level, other: Level): boolean => rankOf(level) > rankOf(other);

export const higher = (one: Level, other: Level): Level => (isAbove(other, one) ? other : one);

/** The lowest label that is at least each of the given ones: labels only rise. */
export function joinOf(labels: readonly ContentLabel[]): ContentLabel {
  const [first = PUBLIC, ...others] = labels;
  if (others.length === 0) return first;
  const categories = [...new Set(labels.flatMap((label) => label.categories))].sort();
  return { level: others.reduce((level, label) => higher(level, label.level), first.level), categories };
}
