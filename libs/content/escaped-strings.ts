import type { Span } from './envelope/edited-text.js';

/** A string literal of JSON in a text, read, and the span of the outermost literal around it. */
export interface EscapedString {
  readonly text: string;
  readonly span: Span;
}

/**
 * The string literals in a text that hold an escape, and those in them, at any depth. A literal without an escape is
 * found in the text as it is. Each level doubles the escapes of its quotation marks, so `n` levels need 2^n characters.
 */
export function* escapedStrings(text: string): Generator<EscapedString> {
  for (const span of literalsIn(text)) {
    for (const inner of readLiterals(text.slice(...span))) yield { text: inner, span };
  }
}

/** The text of a literal, and of the literals in it. None if it is not JSON. */
function* readLiterals(literal: string): Generator<string> {
  const inner = textOf(literal);
  if (inner === undefined) return;
  yield inner;
  for (const span of literalsIn(inner)) yield* readLiterals(inner.slice(...span));
}

function textOf(literal: string): string | undefined {
  try {
    const value: unknown = JSON.parse(literal);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The literals with an escape, from one quotation mark to the next one that is not escaped. Linear. */
function* literalsIn(text: string): Generator<Span> {
  if (!text.includes('\\')) return;
  let start = text.indexOf('"');
  while (start !== -1) {
    let end = start + 1;
    let isEscaped = false;
    while (end < text.length && text[end] !== '"') {
      if (text[end] === '\\') {
        isEscaped = true;
        end += 1;
      }
      end += 1;
    }
    if (end >= text.length) return;
    if (isEscaped) yield [start, end + 1];
    start = text.indexOf('"', end + 1);
  }
}
