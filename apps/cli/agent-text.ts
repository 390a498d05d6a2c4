import { neutraliseMarkers } from '../../libs/content/envelope/markers.js';
import { isJsonObject, type Json, type JsonObject } from '../../libs/kernel/canonical-json.js';
import { pointerTo } from '../../libs/kernel/pointer.js';
import { dig, list, printable, visible } from './print.js';

/**
 * Lists every text of a definition that a model reads, whole, for a reviewer. Invisible characters show as `\u{…}`.
 * Only schema keywords with a fixed set of values (`type`, common `format`s, `required` of properties that are shown)
 * are left out.
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
  // The markers are neutralised in the whole text, because the text before a line decides if the line is a turn of a
  // chat.
  const text = neutraliseMarkers(typeof value === 'string' ? value : JSON.stringify(value, undefined, 2));
  const lines = text.split(/\r\n|\n/).map((line) => visible(line, Infinity));
  const [only = ''] = lines;
  if (lines.length === 1 && only.length <= MAX_INLINE_CHARS) return [`  ${printable(name, Infinity)}: ${only}`];
  return [`  ${printable(name, Infinity)}:`, ...lines.map((line) => `    | ${line}`)];
}

const MAX_INLINE_CHARS = 100;

/** The lists of a definition, the word for one item, and the member that names it. */
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

/** The texts of one item, before its schemas. */
function textsOf(item: Json, key: string): Text[] {
  const found: Text[] = [];
  const visit = (value: Json, path: readonly (string | number)[]): void => {
    const at = pointerTo(...path).slice(1);
    if (typeof value === 'string') found.push({ path: at, text: value });
    else if (Array.isArray(value)) {
      for (const [index, member] of (value as readonly Json[]).entries()) visit(member, [...path, index]);
    } else if (isJsonObject(value)) {
      // A model also reads the names of members, above all those of parameters.
      const names = Object.keys(value);
      const isOfNames = NAMING.has(String(path.at(-1)));
      for (const name of names) if (printable(name, Infinity) !== name) found.push({ path: at, text: name });
      if (isOfNames && names.length > 0) found.push({ path: `${at} (names)`, text: names.join(', ') });
      for (const [name, member] of Object.entries(value))
        if (isOfNames || !isPlainKeyword(name, member, value)) visit(member, [...path, name]);
    }
  };
  for (const [name, member] of Object.entries(isJsonObject(item) ? item : {})) if (name !== key) visit(member, [name]);
  const depth = ({ path }: Text): number => path.split('/').length;
  return found.sort((a, b) => Math.min(depth(a), 3) - Math.min(depth(b), 3));
}

/** Members whose own members are named by the server. */
const NAMING = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas', '_meta']);

/** JSON Schema keywords whose usual values say nothing to a model. Any other value is shown. */
const PLAIN: Readonly<Record<string, RegExp>> = {
  type: /^(?:array|boolean|integer|null|number|object|string)$/,
  format: /^(?:date|date-time|email|hostname|ipv4|ipv6|time|uri|url|uuid)$/,
  $schema: /^https?:\/\/json-schema\.org\/[\w/-]*#?$/,
  digest: /^sha256:[0-9a-f]{64}$/,
};

function isPlainKeyword(name: string, value: Json, holder: JsonObject): boolean {
  const { properties } = holder;
  if (name === 'required' && Array.isArray(value) && isJsonObject(properties))
    return value.every((each) => typeof each === 'string' && Object.hasOwn(properties, each));
  const pattern = Object.hasOwn(PLAIN, name) ? PLAIN[name] : undefined;
  const values = Array.isArray(value) ? (value as readonly Json[]) : [value];
  return pattern !== undefined && values.every((each) => typeof each === 'string' && pattern.test(each));
}

const shown = (value: Json | undefined): string =>
  printable(typeof value === 'string' ? value : JSON.stringify(value ?? null), Infinity);
