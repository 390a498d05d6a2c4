import type { Json, JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { pointerTo, type JsonPointer } from '../kernel/pointer.js';
import { boundedPointer } from './bounded-pointer.js';
import { currentRules, type SearchEngines } from './search-rules.js';
import { findingOf, MAX_FINDINGS, searchParts } from './search.js';
import type { NewFinding } from './shapes.js';

/** The members of a definition that a model reads. */
const READ = ['instructions', 'tools', 'prompts', 'resourceTemplates', 'resources'] as const;

/** A definition as a server declares it, attacker-controlled. Of files, a model reads the names. */
type Declared = { readonly [Name in (typeof READ)[number]]?: unknown } & {
  readonly files?: readonly { readonly path: string }[] | undefined;
};

interface DefinitionFindings {
  readonly findings: NewFinding[];
  readonly findingsLeftOut?: number | undefined;
  readonly searchedBy: SearchEngines;
}

/**
 * Searches every text of a definition that a model reads, each by itself, by the rules for responses. No operation counts
 * as known, because the descriptions of a server name its own tools.
 */
export function searchDefinition(definition: Declared): DefinitionFindings {
  const rules = currentRules();
  const value = defined({
    ...Object.fromEntries(READ.map((name) => [name, definition[name]])),
    files: definition.files?.map(({ path }) => ({ path })),
  }) as JsonObject as Json;
  const texts = [...textsIn(value, '')];
  const parts = texts.map(({ text, path }) => ({ type: 'text', text, path }) as const);
  const { hits } = searchParts(parts, rules, { operations: [], request: '' });
  const findings = hits.slice(0, MAX_FINDINGS).map((hit) => {
    const finding = findingOf(hit);
    const key = texts[hit.place.part]?.isName === true ? { key: true as const } : {};
    return { ...finding, ...key, path: boundedPointer(finding.path) };
  });
  return defined({
    findings,
    findingsLeftOut: hits.length > findings.length ? hits.length - findings.length : undefined,
    searchedBy: { instructions: rules.instructions.digest, pack: rules.pack.digest },
  });
}

interface Text {
  readonly text: string;
  readonly path: JsonPointer;
  /** It is the name of the member at the path. */
  readonly isName?: true;
}

/** A shorter name of a member is no sentence, and most are those of MCP and JSON Schema. */
const MIN_NAME = 14;

function* textsIn(value: Json, path: JsonPointer): Generator<Text> {
  if (typeof value === 'string') yield { text: value, path };
  if (typeof value !== 'object' || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    const below = path + pointerTo(name);
    if (!Array.isArray(value) && name.length >= MIN_NAME) yield { text: name, path: below, isName: true };
    yield* textsIn(member, below);
  }
}
