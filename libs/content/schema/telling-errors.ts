import { pointerTo, type JsonPointer } from '../../kernel/pointer.js';
import { boundedPointer } from '../bounded-pointer.js';

/** An error of a value: where, by which keyword, and which member is missing there or is not allowed. */
export interface PlacedError {
  readonly path: JsonPointer;
  readonly keyword: string;
  readonly member?: string | undefined;
}

/** Keywords that fail because everything below them fails. */
const WRAPPERS: ReadonlySet<string> = new Set(['anyOf', 'oneOf', 'allOf', 'if', '$ref']);

/**
 * The most helpful errors, at most `most`: each once, its path leading to the member, the deepest first. Of failed
 * alternatives, the one that got furthest is most likely the intended one.
 */
export function tellingErrors(errors: readonly PlacedError[], most: number): { path: JsonPointer; keyword: string }[] {
  const distinct = new Map<string, { path: JsonPointer; keyword: string }>();
  for (const { path, keyword, member } of errors) {
    const told = member === undefined ? path : boundedPointer(path + pointerTo(member));
    distinct.set(`${keyword} ${told}`, { path: told, keyword });
  }
  const depth = ({ path }: PlacedError): number => path.split('/').length;
  const wraps = ({ keyword }: PlacedError): number => Number(WRAPPERS.has(keyword));
  return [...distinct.values()].sort((a, b) => depth(b) - depth(a) || wraps(a) - wraps(b)).slice(0, most);
}
