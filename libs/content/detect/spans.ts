import { higher, isAbove } from '../../vocabulary/levels.js';
import type { Level } from '../../vocabulary/words.js';

/** A part of a text that holds a secret or personal data. */
export interface DetectedSpan {
  /** UTF-16 units from the start of the text. */
  readonly start: number;
  readonly end: number;
  /** `secret:<kind>` or `pii:<kind>`. */
  readonly type: string;
  readonly level: Level;
}

/** A span and the place of its rule in the pack, which decides between equals. */
export interface FoundSpan extends DetectedSpan {
  readonly order: number;
}

/**
 * Joins spans that overlap, so that nothing of any of them sticks out. The joined span has the type of the longest, then
 * of the highest level, then of the first rule. Its level is the highest. The answer is sorted and does not overlap.
 */
export function joined(spans: readonly FoundSpan[]): FoundSpan[] {
  const sorted = [...spans].sort((a, b) => a.start - b.start || a.end - b.end || a.order - b.order);
  const found: FoundSpan[] = [];
  let main: FoundSpan | undefined;
  for (const span of sorted) {
    const last = found.at(-1);
    if (last === undefined || main === undefined || span.start >= last.end) {
      found.push(span);
      main = span;
      continue;
    }
    if (isBefore(span, main)) main = span;
    const { type, order } = main;
    found[found.length - 1] = {
      start: last.start,
      end: Math.max(last.end, span.end),
      type,
      order,
      level: higher(last.level, span.level),
    };
  }
  return found;
}

function isBefore(one: FoundSpan, other: FoundSpan): boolean {
  const byLength = one.end - one.start - (other.end - other.start);
  if (byLength !== 0) return byLength > 0;
  return one.level === other.level ? one.order < other.order : isAbove(one.level, other.level);
}

/** The text that replaces a span. */
export const redactionOf = (type: string): string => `[redacted ${type}]`;

/** Texts in the form that `redactionOf` writes, with their type. Context words in it say nothing about the text around it. */
export const REDACTION = /\[redacted ((?:secret|pii):[a-z0-9_]{1,64})\]/g;

/** A text with each span replaced. The spans are sorted and do not overlap. */
export function redacted(text: string, spans: readonly DetectedSpan[]): string {
  let result = '';
  let at = 0;
  for (const { start, end, type } of spans) {
    result += text.slice(at, start) + redactionOf(type);
    at = end;
  }
  return result + text.slice(at);
}
