import { MAX_FIELD } from '../detect/detector.js';
import type { Detecting } from './shapes.js';

/** The names that lead to a text, as a detector reads them. */
export interface Field {
  /** Joined by dots. Only the end is kept: a detector reads only that, and long names cost once. */
  readonly field: string;
  /** The nearest field, this one included, whose name says that everything in it is secret. */
  readonly within?: string | undefined;
}

/** The field of the whole arguments, and of content that has no name. */
export const NO_FIELD: Field = { field: '' };

/** The field of a member. */
export function fieldBelow(above: Field, name: string, pack: Pick<Detecting, 'isSecretField'>): Field {
  const end = name.slice(-MAX_FIELD);
  const field = above.field === '' ? end : `${above.field}.${end}`.slice(-MAX_FIELD);
  return { field, within: pack.isSecretField(field) ? field : above.within };
}
