import { atOnce, type Steps } from '../../kernel/steps.js';
import { higher } from '../../vocabulary/levels.js';
import type { Level } from '../../vocabulary/words.js';
import { fieldsOf } from './fields.js';
import type { RuleFile } from './rules.js';
import { scannerInSteps, type Scanner } from './scanner.js';
import { joined, redactionOf, type DetectedSpan, type FoundSpan } from './spans.js';
import { viewsOf, type IsType } from './views.js';

export interface DetectOptions {
  /** The name of the field that the text is the value of: `ssn`, `card.number`. */
  readonly field?: string;
  /** The nearest field above whose name says that everything in it is secret. */
  readonly within?: string | undefined;
}

export interface Detector {
  readonly detect: (text: string, options?: DetectOptions) => readonly DetectedSpan[];
  readonly levelOf: (type: string) => Level | undefined;
  /** Whether a field says that its value is a secret. */
  readonly isSecretField: (field: string) => boolean;
}

export const detectorOf = (files: readonly RuleFile[]): Detector => atOnce(detectorInSteps(files));

export function* detectorInSteps(files: readonly RuleFile[]): Steps<Detector> {
  const scanner = yield* scannerInSteps(files);
  const levels = levelsOf(files);
  const isType = (type: string): boolean => levels.has(type);
  const fields = fieldsOf(files);
  const search = (text: string, field: string, within = ''): FoundSpan[] => {
    const found = scan(scanner, isType, text, field);
    found.push(...fields.spans(text, field));
    if (within !== field) found.push(...fields.spans(text, within));
    return found.length === 0 ? found : joined(found);
  };
  return {
    detect(text, options = {}) {
      const field = (options.field ?? '').slice(-MAX_FIELD);
      const find = (part: string) => search(part, field, options.within);
      return closed(text, find(text), find).map(({ start, end, type, level }) => ({ start, end, type, level }));
    },
    levelOf: (type) => levels.get(type),
    isSecretField: (field) => fields.names(field.slice(-MAX_FIELD)),
  };
}

/** Longer names of fields lose their beginning. */
export const MAX_FIELD = 128;

function scan(scanner: Scanner, isType: IsType, text: string, field: string): FoundSpan[] {
  // A name in front of the value is a context like any other.
  const name = field === '' ? '' : `${field}: `;
  const found: FoundSpan[] = [];
  for (const view of viewsOf(name + text, isType)) {
    for (const span of scanner.scan(view)) {
      const [from, to] = view.original(span.start, span.end);
      const [start, end] = [Math.max(0, from - name.length), to - name.length];
      if (end > start) found.push({ ...span, start, end });
    }
  }
  return found;
}

/** Redactions of redactions: more than one is rare, because a redaction must have made a new match possible. */
const MAX_ROUNDS = 4;

/**
 * Adds what would be found once the spans are redacted, so that a redacted text is clean. A redaction can make a match
 * possible: it shortens the way to a context word, or ends a run of letters. If that goes on, the whole text is one span.
 */
function closed(text: string, first: FoundSpan[], search: (text: string) => FoundSpan[]): FoundSpan[] {
  let spans = first;
  for (let round = 0; spans.length > 0; round += 1) {
    const { text: rest, original } = redactedOf(text, spans);
    const more = search(rest);
    const [one] = more;
    if (one === undefined) return spans;
    const added = more.map((span) => ({ ...span, ...original(span.start, span.end) }));
    if (round === MAX_ROUNDS) {
      const level = [...spans, ...added].map((span) => span.level).reduce(higher);
      return [{ ...one, level, start: 0, end: text.length }];
    }
    spans = joined([...spans, ...added]);
  }
  return spans;
}

interface Redacted {
  readonly text: string;
  /** The part of the original text beneath a part of the redacted one. A redaction that is touched counts whole. */
  readonly original: (start: number, end: number) => { readonly start: number; readonly end: number };
}

function redactedOf(text: string, spans: readonly DetectedSpan[]): Redacted {
  let result = '';
  let at = 0;
  const pieces: { readonly start: number; readonly end: number; readonly span: DetectedSpan }[] = [];
  for (const span of spans) {
    result += text.slice(at, span.start);
    const start = result.length;
    result += redactionOf(span.type);
    pieces.push({ start, end: result.length, span });
    at = span.end;
  }
  /** The first piece that ends at or behind a place. */
  const pieceFrom = (redactedAt: number): number => {
    let [low, high] = [0, pieces.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((pieces[middle]?.end ?? 0) < redactedAt) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const place = (redactedAt: number, edge: 'start' | 'end'): number => {
    for (let index = pieceFrom(redactedAt); index < pieces.length; index += 1) {
      const { start, end, span } = pieces[index]!;
      const isInside =
        edge === 'start' ? redactedAt >= start && redactedAt < end : redactedAt > start && redactedAt <= end;
      if (isInside) return span[edge];
      if (redactedAt < end) return redactedAt + shiftBehind(index - 1);
    }
    return redactedAt + shiftBehind(pieces.length - 1);
  };
  const shiftBehind = (index: number): number => {
    const piece = pieces[index];
    return piece === undefined ? 0 : piece.span.end - piece.end;
  };
  return {
    text: result + text.slice(at),
    original: (start, end) => ({ start: place(start, 'start'), end: place(end, 'end') }),
  };
}

function levelsOf(files: readonly RuleFile[]): ReadonlyMap<string, Level> {
  const levels = new Map<string, Level>();
  for (const { prefix, rules, fields } of files) {
    for (const { kind, level } of [...rules, ...fields]) {
      const type = `${prefix}:${kind}`;
      levels.set(type, higher(level, levels.get(type) ?? level));
    }
  }
  return levels;
}
