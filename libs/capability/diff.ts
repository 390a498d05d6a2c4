import { z } from 'zod';
import { canonicalJson, isJsonObject, ownValue, type Json, type JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { pointerTo } from '../kernel/pointer.js';
import { textOf, type Definition } from './definition.js';
import { equalButForNulls } from './nulls.js';

/** Severities, gravest first. */
export const Severity = z.enum(['safety-downgrade', 'authority-change', 'instruction-change', 'cosmetic', 'none']);
export type Severity = z.infer<typeof Severity>;

const Change = z.strictObject({
  path: z.string(),
  kind: z.enum(['added', 'removed', 'changed']),
  severity: Severity,
  before: z.custom<Json>().optional(),
  after: z.custom<Json>().optional(),
});
export type Change = z.infer<typeof Change>;

/** How one definition differs from another, in the paths of the definition with list items by name. */
export const RecordedDiff = z.strictObject({
  severity: Severity,
  changes: z.array(Change),
  /** Set if there were more changes than are kept. */
  truncated: z.boolean().optional(),
});

export const Diff = RecordedDiff.extend({
  /** The definitions are equal, if a member that is null counts as absent. No event has such a difference. */
  hint: z.literal('equal_but_for_nulls').optional(),
});
export type Diff = z.infer<typeof Diff>;

const MAX_CHANGES = 100;
/** Longer values are cut in the diff. The snapshots hold them whole. */
const MAX_VALUE_CHARS = 500;
const MAX_PATH_CHARS = 1000;
/** Of all changes together, as JSON: escapes make a text longer, and the diff has to fit into one event. */
const MAX_DIFF_CHARS = 131_072;

/** Compares what the definition digest covers; `serverInfo`, `capabilities` and `resources` are not part of it. */
export function diffDefinitions(before: Definition, after: Definition): Diff {
  const found: Found = { changes: [], severities: new Set(), chars: 0, truncated: false };
  compare(['instructions'], before.instructions, after.instructions, found);
  for (const [list, key] of [
    ['tools', 'name'],
    ['prompts', 'name'],
    ['resourceTemplates', 'uriTemplate'],
    ['files', 'path'],
  ] as const) {
    const old = byKey(before[list], key);
    const now = byKey(after[list], key);
    for (const name of [...new Set([...old.keys(), ...now.keys()])].sort()) {
      compare([list, name], old.get(name), now.get(name), found);
    }
  }
  const severity = Severity.options.find((each) => found.severities.has(each)) ?? 'none';
  const truncated = found.truncated ? true : undefined;
  if (severity === 'none' || !equalButForNulls(before, after))
    return defined({ severity, changes: found.changes, truncated });
  const changes = found.changes.map((change) => ({ ...change, severity: 'cosmetic' as const }));
  return defined({ severity: 'cosmetic' as const, changes, hint: 'equal_but_for_nulls' as const, truncated });
}

/** The changes so far. The severity covers all changes, including those that are not kept. */
interface Found {
  readonly changes: Change[];
  readonly severities: Set<Severity>;
  /** Length of the changes as JSON. */
  chars: number;
  truncated: boolean;
}

function byKey(items: readonly JsonObject[] | undefined, key: string): Map<string, JsonObject> {
  return new Map((items ?? []).map((item) => [textOf(item, key), item]));
}

/**
 * Descends into objects only: a changed array or scalar is one change. Attacker-controlled input: each value is looked at
 * once on the way down, and depth is bounded by the parser's limit.
 */
function compare(path: readonly string[], before: Json | undefined, after: Json | undefined, found: Found): void {
  if (before === after) return;
  if (isJsonObject(before) && isJsonObject(after)) {
    for (const key of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
      compare([...path, key], ownValue(before, key), ownValue(after, key), found);
    }
    return;
  }
  if (Array.isArray(before) && Array.isArray(after) && canonicalJson(before) === canonicalJson(after)) return;
  const severity = severityOf(path, before, after);
  found.severities.add(severity);
  if (found.truncated || found.changes.length >= MAX_CHANGES) {
    found.truncated = true;
    return;
  }
  const change: Change = defined({
    path: cut(pointerTo(...path), MAX_PATH_CHARS),
    kind: before === undefined ? 'added' : after === undefined ? 'removed' : 'changed',
    severity,
    before: before === undefined ? undefined : shortened(before),
    after: after === undefined ? undefined : shortened(after),
  });
  found.chars += canonicalJson(change).length;
  found.truncated = found.chars > MAX_DIFF_CHARS;
  if (!found.truncated) found.changes.push(change);
}

/** The value of each annotation that asks for less care: a change towards it lowers a guard. MCP, ToolAnnotations. */
const CARELESS: Readonly<Record<string, boolean>> = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
};
const COSMETIC = new Set(['icons']);

function severityOf(path: readonly string[], before: Json | undefined, after: Json | undefined): Severity {
  const [list, , field, hint] = path;
  const leaf = path.at(-1) ?? '';
  if (list === 'instructions') return textSeverity(before, after);
  if (path.length === 2 || list === 'files') return 'authority-change';
  if (field === 'annotations') {
    if (hint === undefined) return lowersAGuard(after) ? 'safety-downgrade' : 'authority-change';
    // A model reads the title that an annotation gives, just as it reads a description.
    if (hint === 'title') return textSeverity(before, after);
    return Object.hasOwn(CARELESS, hint) && after === CARELESS[hint] ? 'safety-downgrade' : 'authority-change';
  }
  if (path.length === 3 && COSMETIC.has(leaf)) return 'cosmetic';
  // A parameter may be called `title`, too: then it is no text that changes.
  const isText = [before, after].every((value) => value === undefined || typeof value === 'string');
  if (!isText || (leaf !== 'description' && leaf !== 'title')) return 'authority-change';
  return textSeverity(before, after);
}

/** Of a text that a model reads: any other word in it may be an instruction. */
function textSeverity(before: Json | undefined, after: Json | undefined): Severity {
  return sameWords(before, after) ? 'cosmetic' : 'instruction-change';
}

/** All annotations came or went at once. Absent hints mean the careful value, so only what is there now counts. */
function lowersAGuard(after: Json | undefined): boolean {
  if (!isJsonObject(after)) return false;
  return Object.entries(CARELESS).some(([hint, careless]) => ownValue(after, hint) === careless);
}

function sameWords(before: Json | undefined, after: Json | undefined): boolean {
  const words = (value: Json | undefined) => (typeof value === 'string' ? value.trim().split(/\s+/).join(' ') : null);
  return words(before) !== null && words(before) === words(after);
}

/** A value as a diff shows it: cut if it is long. */
export function shortened(value: Json): Json {
  const text = canonicalJson(value);
  return text.length <= MAX_VALUE_CHARS ? value : cut(text, MAX_VALUE_CHARS);
}

/** Cutting may split a surrogate pair, which has no canonical form. */
function cut(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars).toWellFormed()}…`;
}
