import { neutraliseMarkers } from '#libs/content/markers.js';
import { isJsonObject, type Json } from '#libs/kernel/canonical-json.js';
import { pointerTo } from '#libs/kernel/pointer.js';
import { dig, list, printable, visible } from './print.js';

/**
 * What a model reads of a definition, for the eyes of a reviewer: every text of every item, whole. Invisible characters
 * show as `\u{…}`. Only plain keywords of schemas (`type`, `required`, `format`, …) are left out.
 */
export function agentText(definition: unknown): string[] {
  const { instructions } = isJsonObject(definition) ? definition : {};
  const lines = ['what an agent reads'];
  if (instructions !== undefined) lines.push(...passage('instructions', instructions));
  for (const [kind, name, key] of KINDS) {
    for (const item of list(definition as Json, kind)) {
      lines.push(`  ${name} ${shown(dig(item, key))}`);
      for (const { path, text } of textsOf(item, key)) lines.push(...passage(path, text).map((line) => `  ${line}`));
    }
  }
  return lines.length === 1 ? ['an agent reads nothing of it: it has no texts'] : lines;
}

/** One text under its name: on one line if it is short, else as a block that no text can leave. */
export function passage(name: string, value: Json): string[] {
  // As a whole: whether a line is a turn of a chat depends on what stands before it.
  const text = neutraliseMarkers(typeof value === 'string' ? value : JSON.stringify(value, undefined, 2));
  const lines = text.split(/\r\n|\n/).map((line) => visible(line, Infinity));
  const [only = ''] = lines;
  if (lines.length === 1 && only.length <= MAX_INLINE_CHARS) return [`  ${printable(name, Infinity)}: ${only}`];
  return [`  ${printable(name, Infinity)}:`, ...lines.map((line) => `    | ${line}`)];
}

const MAX_INLINE_CHARS = 100;

/** Lists of a definition, what one item is called, and the member that names it. */
const KINDS = [
  ['tools', 'tool', 'name'],
  ['prompts', 'prompt', 'name'],
  ['resourceTemplates', 'resource template', 'uriTemplate'],
  ['files', 'file', 'path'],
] as const;

interface Text {
  readonly path: string;
  readonly text: string;
}

/** Texts of one item, what it says of itself before its schemas. */
function textsOf(item: Json, key: string): Text[] {
  const found: Text[] = [];
  const visit = (value: Json, path: readonly (string | number)[]): void => {
    if (typeof value === 'string') {
      if (!isPlainKeyword(path, value)) found.push({ path: pointerTo(...path).slice(1), text: value });
    } else if (Array.isArray(value)) {
      for (const [index, member] of (value as readonly Json[]).entries()) visit(member, [...path, index]);
    } else if (isJsonObject(value)) {
      // Names that hide something would show in no path if nothing under them is a text.
      for (const [name, member] of Object.entries(value)) {
        if (printable(name, Infinity) !== name) found.push({ path: pointerTo(...path).slice(1), text: name });
        visit(member, [...path, name]);
      }
    }
  };
  for (const [name, member] of Object.entries(isJsonObject(item) ? item : {})) if (name !== key) visit(member, [name]);
  const depth = ({ path }: Text): number => path.split('/').length;
  return found.sort((a, b) => Math.min(depth(a), 3) - Math.min(depth(b), 3));
}

const KEYWORDS = new Set(['type', 'required', '$schema', '$ref', 'format', 'digest']);

/** A keyword's value that says nothing to a model; a sentence in its place is shown. */
function isPlainKeyword(path: readonly (string | number)[], value: string): boolean {
  const keyword = path.findLast((step) => typeof step === 'string');
  return path.length > 1 && KEYWORDS.has(String(keyword)) && /^[\w$#:/.-]{1,128}$/.test(value);
}

const shown = (value: Json | undefined): string =>
  printable(typeof value === 'string' ? value : JSON.stringify(value ?? null), Infinity);
