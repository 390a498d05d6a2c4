import { isJsonObject, type Json } from '../../kernel/canonical-json.js';
import { pointerTo, type JsonPointer } from '../../kernel/pointer.js';
import { err, ok, type Result } from '../../kernel/result.js';
import { UNSEEN_MEMBERS } from '../../vocabulary/lookalikes.js';
import type { Edit } from './edited-text.js';
import { neutraliseMarkers } from './markers.js';

/** Every unseen character except tab and line breaks. */
const INVISIBLE = new RegExp(String.raw`[[${UNSEEN_MEMBERS}]--[\t\n\v\f\r\u{85}\u{2028}\u{2029}]]`, 'gv');
const LINE_BREAK = /\r\n|[\r\v\f\u{85}\u{2028}\u{2029}]/gu;

/**
 * Removes what a person does not see and a model reads: zero-width characters, bidirectional controls and isolates,
 * variation selectors, tag characters, soft hyphens, interlinear annotations, control characters, noncharacters, lone
 * surrogates. Every kind of line break becomes `\n`; tab and `\n` stay. Idempotent.
 * The price: joiners go too, so emoji that are sequences fall apart into their members, and words of scripts that use
 * joiners (Persian, several Indic ones) or Arabic number signs lose them.
 */
export function stripInvisible(text: string): string {
  return text.replace(INVISIBLE, '').replace(LINE_BREAK, '\n');
}

/** The edits that take out what `stripInvisible` removes. */
export const invisibleEdits = (text: string): Edit[] => editsOf(text, INVISIBLE, '');

/** The edits that make each kind of line break `\n`, after `invisibleEdits`. */
export const lineBreakEdits = (text: string): Edit[] => editsOf(text, LINE_BREAK, '\n');

const editsOf = (text: string, pattern: RegExp, insert: string): Edit[] =>
  Array.from(text.matchAll(pattern), ({ index, 0: { length } }) => ({ at: index, remove: length, insert }));

/** How text from outside is written wherever an agent may read it: nothing invisible, no live chat-template marker. */
export function quoteText(text: string): string {
  return neutraliseMarkers(stripInvisible(text));
}

/** Why JSON was refused: two keys of one object that become the same, or nesting beyond the limit. */
export interface DeepFault {
  readonly kind: 'key_collision' | 'too_deep';
  readonly path: JsonPointer;
}

const MAX_DEPTH = 256;

/** `stripInvisible` on every string and every key. */
export function stripInvisibleDeep(value: Json): Result<Json, DeepFault> {
  return mapStrings(value, stripInvisible);
}

/** `quoteText` on every string and every key. */
export function quoteDeep(value: Json): Result<Json, DeepFault> {
  return mapStrings(value, quoteText);
}

/**
 * Maps every string and every key, each key before its member, in the order of the document. Fails if two keys of one
 * object become the same.
 */
export function mapStrings(value: Json, map: (text: string) => string, depth = 0): Result<Json, DeepFault> {
  if (typeof value === 'string') return ok(map(value));
  if (typeof value !== 'object' || value === null) return ok(value);
  if (depth >= MAX_DEPTH) return err({ kind: 'too_deep', path: '' });
  if (!isJsonObject(value)) {
    const items: Json[] = [];
    for (const item of value) {
      const mapped = mapStrings(item, map, depth + 1);
      if (!mapped.ok) return under(items.length, mapped.error);
      items.push(mapped.value);
    }
    return ok(items);
  }
  const members = new Map<string, Json>();
  for (const [key, member] of Object.entries(value)) {
    const name = map(key);
    if (members.has(name)) return err({ kind: 'key_collision', path: '' });
    const mapped = mapStrings(member, map, depth + 1);
    if (!mapped.ok) return under(key, mapped.error);
    members.set(name, mapped.value);
  }
  // fromEntries defines members, so that `__proto__` is one like any other.
  return ok(Object.fromEntries(members));
}

const under = (segment: string | number, fault: DeepFault): Result<never, DeepFault> =>
  err({ ...fault, path: pointerTo(segment) + fault.path });
