import type { Command } from 'commander';
import { isJsonObject, type Json, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { everyPage, path as pathTo } from '../client.js';
import { describe, serviceAction, type Exits } from '../command.js';
import { at, dig, joined, jsonText, list, printable, table } from '../print.js';
import { fromOption, toOption } from '../since.js';
import { EXIT, type World } from '../world.js';

interface ExposureOptions {
  readonly version?: string;
  readonly from?: string;
  readonly to?: string;
  readonly json?: boolean;
}

/** Adds the command that shows what the operations of a capability may see, have seen, and never needed. */
export function addExposure(program: Command, world: World, exits: Exits): void {
  const exposure = describe(program, 'exposure <capability>', {
    about: 'Show the content that each operation of a capability may see, has seen, and never needed',
    example: 'sallyport exposure mail --version 1.2.0 --from 30d',
  })
    .option('--version <version>', 'of one version')
    .option('--from <time>', 'calls from then on', fromOption)
    .option('--to <time>', 'calls until then', toOption);
  serviceAction<ExposureOptions>(exposure, world, exits, 'auditor', async ({ args, call, options }) => {
    const { version, from, to } = options;
    const conditions = { capability: args[0] ?? '', version, from, to };
    const items = merged(list(await everyPage(call, pathTo('audit', 'exposure'), conditions), 'items'));
    if (options.json === true) world.out(`${jsonText({ items })}\n`);
    else if (items.length > 0) world.out(`${items.map(shown).join('\n\n')}\n`);
    else world.out(version === undefined ? 'no such capability\n' : 'no such capability, or no such version of it\n');
    return items.length === 0 ? EXIT.refused : EXIT.done;
  });
}

/** Items of several pages about one operation are one: counts add up, and an argument is unused on all pages. */
function merged(items: readonly Json[]): Json[] {
  const byOperation = new Map<string, Json>();
  for (const item of items) {
    const key = JSON.stringify([dig(item, 'version'), dig(item, 'operation')]);
    const known = byOperation.get(key);
    byOperation.set(key, known === undefined ? item : sumOf(known, item));
  }
  return [...byOperation.values()];
}

function sumOf(one: Json, other: Json): Json {
  const [a, b] = [one as JsonObject, other as JsonObject];
  const unused = new Set(list(b, 'unused'));
  const keyOf = (seen: Json) => JSON.stringify([dig(seen, 'path') ?? null, dig(seen, 'source') ?? null]);
  const seen = new Map<string, Json>();
  for (const each of [...list(a, 'seen'), ...list(b, 'seen')]) {
    const known = seen.get(keyOf(each));
    seen.set(keyOf(each), known === undefined ? each : summed(known, each));
  }
  const counts = (name: string) => summed(dig(a, name) ?? {}, dig(b, name) ?? {});
  return {
    ...a,
    calls: summed(dig(a, 'calls') ?? 0, dig(b, 'calls') ?? 0),
    seen: [...seen.values()],
    redactions: counts('redactions'),
    refusals: counts('refusals'),
    unused: list(a, 'unused').filter((each) => unused.has(each)),
  };
}

/** The sum of numbers, member by member; other values are those of the first. */
function summed(one: Json, other: Json): Json {
  if (typeof one === 'number' && typeof other === 'number') return one + other;
  if (!isJsonObject(one) || !isJsonObject(other)) return one;
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return Object.fromEntries(
    names.map((name) => [
      name,
      name in one && name in other
        ? summed(one[name] as Json, other[name] as Json)
        : ((one[name] ?? other[name]) as Json),
    ]),
  );
}

const times = (count: string, noun: string): string => `${count} ${noun}${count === '1' ? '' : 's'}`;

function shown(item: Json): string {
  const text = (...path: string[]) => printable(at(item, ...path));
  const words = (...path: string[]) =>
    list(item, ...path)
      .map((each) => printable(at(each)))
      .join(', ') || '–';
  const counts = (value: Json | undefined) =>
    Object.entries(isJsonObject(value) ? value : {})
      .map(([name, count]) => `${printable(name)} ${at(count)}`)
      .join(', ') || '–';
  const accepted = list(item, 'declared', 'accepts').map((each) =>
    printable(`${at(each, 'path')} (${joined(each, 'types')})`),
  );
  const seen = list(item, 'seen').map((each) => [
    `    ${printable(at(each, 'path') || `from ${at(each, 'source')}`)}`,
    times(at(each, 'calls'), 'time'),
    `${at(each, 'bytes')} bytes`,
    counts(dig(each, 'levels')),
    counts(dig(each, 'categories')),
  ]);
  return [
    `${text('capability')}@${text('version')} ${text('operation')}: ${times(text('calls'), 'call')}, up to ${text('declared', 'sensitivity')}`,
    `  may see    ${words('declared', 'arguments')}`,
    `  accepts    ${accepted.join(', ') || '–'}`,
    `  context    ${words('declared', 'context')}`,
    `  has seen${seen.length === 0 ? '   –' : ''}`,
    ...table(seen),
    `  never sent ${words('unused')}`,
    `  redacted   ${counts(dig(item, 'redactions'))}`,
    `  refused    ${counts(dig(item, 'refusals'))}`,
  ].join('\n');
}
