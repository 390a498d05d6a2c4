import { markerOf, quoteMarked } from '../../content/envelope/data-marks.js';
import type { Span } from '../../content/envelope/edited-text.js';
import { isJsonObject, ownValue, type Json } from '../../kernel/canonical-json.js';
import { segmentsOf } from '../../kernel/pointer.js';
import type { RegisteredVersion } from '../service/answers.js';

type Definition = RegisteredVersion['definition'];

/** Members that a model reads and no call depends on. */
const PROSE = new Set(['description', 'title']);

/**
 * A definition with its texts of severity high as evidence. Instructions are between boundary lines. A marker replaces
 * white space in spans of instructions, descriptions and titles. Names and values of schemas stay, because calls need
 * them. `boundary` is 128 random bits in hex.
 */
export function asEvidence(
  definition: Definition,
  findings: RegisteredVersion['findings'],
  boundary: string,
): Definition {
  const spans = new Map<string, Span[]>();
  for (const { path, span, severity, key } of findings ?? []) {
    if (severity === 'high' && span !== undefined && key !== true) spans.set(path, [...(spans.get(path) ?? []), span]);
  }
  if (spans.size === 0) return definition;
  const marker = markerOf(boundary, JSON.stringify(definition).toLowerCase());
  const marked = structuredClone(definition);
  for (const [path, own] of spans) {
    const segments = segmentsOf(path);
    const name = segments.pop() ?? '';
    const holder = valueAt(marked as Json, segments);
    const text = isJsonObject(holder) ? ownValue(holder, name) : undefined;
    if (!isJsonObject(holder) || typeof text !== 'string') continue;
    const quoted = quoteMarked(text, own, marker).text;
    if (path === '/instructions')
      marked.instructions = `<<untrusted ${boundary} instructions>>\n${quoted}\n<<end ${boundary}>>`;
    else if (PROSE.has(name)) Object.assign(holder, { [name]: quoted });
  }
  return marked;
}

function valueAt(value: Json, segments: readonly string[]): Json | undefined {
  let found: Json | undefined = value;
  for (const segment of segments) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, segment)) return undefined;
    found = (found as Readonly<Record<string, Json>>)[segment];
  }
  return found;
}
