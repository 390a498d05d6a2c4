import { redacted } from '../detect/spans.js';
import { MIN_RUN, normalised } from '../flow/fingerprints.js';
import { SEVERAL } from './label.js';
import type { Detecting } from './shapes.js';

/** Replaces a name that is as long as text that counts as a repeat: such a name could be content. */
export const LONG_NAME = '[long name]';

/** Whether a name could repeat earlier content. */
export const isLongName = (name: string): boolean => normalised(name).length >= MIN_RUN;

/** Different categories of one request that are searched. All others are the category `SEVERAL`. */
const MAX_CLEANED = 256;

/** Cleans categories of the host, which are recorded at any level: they keep no span and no run of content. */
export function categoryCleaner(pack: Pick<Detecting, 'detect' | 'levelOf'>): (category: string) => string {
  const cleaned = new Map<string, string>();
  return (category) => {
    const known = cleaned.get(category);
    if (known !== undefined || cleaned.size >= MAX_CLEANED) return known ?? SEVERAL;
    const clean = cleanCategory(pack, category);
    cleaned.set(category, clean);
    return clean;
  };
}

function cleanCategory(pack: Pick<Detecting, 'detect' | 'levelOf'>, category: string): string {
  if (pack.levelOf(category) !== undefined) return category;
  return isLongName(category) ? LONG_NAME : redacted(category, pack.detect(category));
}
