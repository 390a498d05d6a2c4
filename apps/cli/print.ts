import { neutraliseMarkers } from '../../libs/content/envelope/markers.js';
import type { Json } from '../../libs/kernel/canonical-json.js';
import { UNSEEN_MEMBERS } from '../../libs/vocabulary/lookalikes.js';

/**
 * Characters that a terminal obeys or that a reader does not see: all invisible ones, and every space except the plain
 * one. Servers and agents wrote much of the output, so none of these reaches the terminal.
 */
const UNPRINTABLE = new RegExp(String.raw`[${UNSEEN_MEMBERS}[\p{Zs}--[ ]]]`, 'gv');

/** One line of text that is safe to print, cut to `maxChars`. A chat marker is written as in envelopes. */
export function printable(text: string, maxChars = 300): string {
  return visible(neutraliseMarkers(text), maxChars);
}

/**
 * The same for a text of an envelope. The service has neutralised its markers, so its own boundary lines stay whole.
 */
export function visible(text: string, maxChars = 300): string {
  const safe = text.replaceAll(UNPRINTABLE, (found) => {
    const code = found.codePointAt(0) ?? 0;
    return found === '\n' ? '⏎' : `\\u{${code.toString(16)}}`;
  });
  return safe.length <= maxChars ? safe : `${safe.slice(0, maxChars)}…`;
}

/**
 * JSON for a program or a file, with every character that a terminal would obey written as an escape. `indent` 0 makes it
 * one line.
 */
export function jsonText(value: unknown, indent = 2): string {
  return JSON.stringify(value, undefined, indent).replaceAll(UNPRINTABLE, (found) =>
    // Indentation is the only raw control that JSON.stringify writes.
    found === '\n' ? found : found.split('').map(escaped).join(''),
  );
}

/** Escapes one UTF-16 unit. */
function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Columns as wide as their widest cell. The last one has any width. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const safe = rows.map((row) => row.map((cell) => printable(cell)));
  const widths: number[] = [];
  for (const row of safe) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, Math.min(cell.length, 48));
  }
  return safe.map((row) =>
    row
      .map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** A value as JSON on one line; empty if there is none. */
export function jsonLine(value: Json | undefined): string {
  return value === undefined ? '' : JSON.stringify(value);
}

/** `value[path…]` as text. Empty if it is missing, or is no text, number or boolean. */
export function at(value: Json | undefined, ...path: readonly (string | number)[]): string {
  const found = dig(value, ...path);
  return typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean' ? String(found) : '';
}

/** `value[path…]`, following own members only. */
export function dig(value: Json | undefined, ...path: readonly (string | number)[]): Json | undefined {
  let found: Json | undefined = value;
  for (const step of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined;
    found = (found as Readonly<Record<string | number, Json>>)[step];
  }
  return found;
}

/** The texts of the list at `value[path…]`, separated by commas. */
export function joined(value: Json | undefined, ...path: readonly (string | number)[]): string {
  return list(value, ...path)
    .filter((item) => typeof item === 'string')
    .join(', ');
}

/** A last line for a list that has further pages. */
export function moreOf(answer: Json): string[] {
  return dig(answer, 'next') === undefined ? [] : ['… and more; narrow it with an option'];
}

/** `value[path…]` as a list. Empty if it is none. */
export function list(value: Json | undefined, ...path: readonly (string | number)[]): readonly Json[] {
  const found = dig(value, ...path);
  return Array.isArray(found) ? (found as readonly Json[]) : [];
}
