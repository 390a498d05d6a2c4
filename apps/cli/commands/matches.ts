import { isJsonObject, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { path, query, type Call } from '../client.js';
import { at, dig, joined, list, printable } from '../print.js';
import { targetText } from '../target.js';

const MAX_NAMED = 3;
const PAGE = '200';
/** Most pages of capabilities to search for a similar name: nobody waits long in an emergency. */
const MAX_PAGES = 10;

const COUNTED = [
  ['capabilities', 'capability', 'capabilities'],
  ['versions', 'version', 'versions'],
  ['openTasks', 'open task', 'open tasks'],
] as const;

/** The number of matches of a directive, for a person. Empty if the service does not count them. */
export function matchLines(answer: JsonObject): string[] {
  const counts = COUNTED.flatMap(([key, one, many]) => {
    const count = at(answer, 'matches', key);
    return count === '' ? [] : [`${count} ${count === '1' ? one : many}`];
  });
  return counts.length === 0 ? [] : [printable(`it matches ${counts.join(', ')}`)];
}

/** True if a directive stops nothing now. The target `all` cannot be misspelt. A count that is missing is not zero. */
export function matchesNothing(answer: JsonObject): boolean {
  if (at(answer, 'target', 'type') === 'all') return false;
  return COUNTED.every(([key]) => at(answer, 'matches', key) === '0');
}

/** The lines for an operator whose directive matches nothing: similar names, and that the directive is in force. */
export async function missLines(call: Call, target: JsonObject): Promise<string[]> {
  const text = targetText(target);
  const known = await namesOf(call, at(target, 'type')).catch(() => []);
  const near = nearest(text, known);
  return [
    printable(`${text} matches nothing now${near.length === 0 ? '' : `; near it: ${near.join(', ')}`}`),
    'the directive is in force: lift it if it is a mistake, or give --ahead if it is intended',
  ];
}

/** The registered targets of one type, as texts. */
async function namesOf(call: Call, type: string): Promise<string[]> {
  const names = new Set<string>();
  let cursor: string | undefined;
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const page = await call('GET', `${path('capabilities')}${query({ limit: PAGE, cursor })}`);
    for (const capability of list(page, 'items')) for (const name of targetsIn(capability, type)) names.add(name);
    cursor = at(page, 'next');
    if (cursor === '') break;
  }
  return [...names];
}

function targetsIn(capability: unknown, type: string): string[] {
  const one = isJsonObject(capability) ? capability : {};
  const id = at(one, 'id');
  const versions = list(one, 'versions');
  switch (type) {
    case 'capability':
      return [`capability:${id}`];
    case 'category':
      return [`category:${at(one, 'category')}`];
    case 'publisher':
      return joined(one, 'publishers')
        .split(', ')
        .filter((name) => name !== '')
        .map((name) => `publisher:${name}`);
    case 'version':
      return versions.map((version) => `version:${id}@${at(version, 'version')}`);
    case 'source':
      return versions.map((version) => `source:${at(version, 'source', 'type')}:${at(version, 'source', 'name')}`);
    case 'operation':
      return versions.flatMap((version) => {
        const operations = dig(version, 'manifest', 'operations');
        return Object.keys(isJsonObject(operations) ? operations : {}).map((name) => `operation:${id}/${name}`);
      });
    default:
      return [];
  }
}

/** The names that differ from a text in at most a third of its characters, nearest first. */
export function nearest(text: string, names: readonly string[]): string[] {
  const most = Math.max(2, Math.floor(text.length / 3));
  return names
    .map((name) => ({ name, distance: editDistance(text.toLowerCase(), name.toLowerCase(), most) }))
    .filter(({ distance }) => distance <= most)
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, MAX_NAMED)
    .map(({ name }) => name);
}

/**
 * Insertions, deletions and replacements from one text to another (Levenshtein). Above `most` the number is not exact.
 */
function editDistance(from: string, to: string, most: number): number {
  if (Math.abs(from.length - to.length) > most) return most + 1;
  let above = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (above[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min((above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, replaced));
    }
    above = current;
  }
  return above[to.length] ?? 0;
}
