import type { Json } from '../../libs/kernel/canonical-json.js';
import { passage } from './agent-text.js';
import { at, dig, list, printable } from './print.js';

/**
 * Prints a `Diff` for a reviewer: each change with its whole text before and after, from the two definitions. The diff
 * itself cuts long values.
 */
export function diffText(diff: Json, before: Json, after: Json): string[] {
  const onlyNulls = at(diff, 'hint') === 'equal_but_for_nulls' ? ' (absent members as null, nothing else)' : '';
  const lines = [`severity: ${at(diff, 'severity')}${onlyNulls}`];
  for (const change of list(diff, 'changes')) {
    const path = at(change, 'path');
    lines.push(`${at(change, 'severity')}  ${at(change, 'kind')}  ${printable(path, Infinity)}`);
    for (const [name, definition] of [
      ['before', before],
      ['after', after],
    ] as const) {
      const value = valueAt(definition, path) ?? dig(change, name);
      if (value !== undefined) lines.push(...passage(name, value));
    }
  }
  if (dig(diff, 'truncated') === true)
    lines.push(
      'there are more changes than a diff lists: read both versions with `sallyport capabilities <id> <version>`',
    );
  lines.push(...manifestText(dig(diff, 'manifest') ?? null));
  const supplyChain = dig(diff, 'supplyChain');
  if (Array.isArray(supplyChain) && supplyChain.length > 0) lines.push(...passage('supply chain', supplyChain));
  return lines;
}

/** The changes of the manifest: what the owner declares, and what the version may see and do. */
function manifestText(diff: Json): string[] {
  const changes = list(diff, 'changes');
  if (changes.length === 0) return [];
  const lines = [`severity of the manifest: ${at(diff, 'severity')}`];
  for (const change of changes) {
    lines.push(`${at(change, 'severity')}  ${at(change, 'kind')}  manifest${printable(at(change, 'path'), Infinity)}`);
    for (const name of ['before', 'after']) {
      const value = dig(change, name);
      if (value !== undefined) lines.push(...passage(name, typeof value === 'string' ? value : JSON.stringify(value)));
    }
  }
  if (dig(diff, 'truncated') === true) lines.push('there are more changes of the manifest: read both manifests');
  return lines;
}

/** The member of each item that a diff's path names it by. */
const KEYS: Readonly<Record<string, string>> = {
  tools: 'name',
  prompts: 'name',
  resourceTemplates: 'uriTemplate',
  files: 'path',
};

/** The value that a path of a diff (RFC 6901, items of lists by their name) points to. */
function valueAt(definition: Json, path: string): Json | undefined {
  const [first = '', name, ...rest] = path
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const key = Object.hasOwn(KEYS, first) ? KEYS[first] : undefined;
  if (key === undefined || name === undefined) return dig(definition, first);
  return dig(
    list(definition, first).find((item) => dig(item, key) === name),
    ...rest,
  );
}
