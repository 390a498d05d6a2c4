import { Option, type Command } from 'commander';
import { ownValue, type Json } from '../../libs/kernel/canonical-json.js';
import { query, type Call } from './client.js';
import { positiveInteger, type Session } from './command.js';
import { jsonText, list, printable, table, visible } from './print.js';
import { UsageError } from './world.js';

const FORMATS = ['text', 'json', 'csv', 'jsonl'] as const;

export interface ListingOptions {
  readonly limit?: number;
  readonly all?: boolean;
  readonly format: (typeof FORMATS)[number];
}

/** A list of the service, and how its items are printed. */
export interface Listing {
  readonly target: string;
  readonly conditions: Readonly<Record<string, string | undefined>>;
  /** Most items of one page. */
  readonly pageItems: number;
  /** The line for an empty list. */
  readonly none: string;
  /** A second line for an empty list, about other places that may have the items. */
  readonly hint?: (call: Call) => Promise<string | undefined>;
  /** The cells of an item for a person. */
  readonly rowOf: (item: Json) => readonly string[];
  /** The columns of CSV, with the cell of an item. */
  readonly columns: Readonly<Record<string, (item: Json) => string>>;
}

const DEFAULT_ITEMS = 50;

/** Adds the options of a list to a command. */
export const withListing = (command: Command): Command =>
  command
    .option('--limit <n>', `the most to list (default: ${DEFAULT_ITEMS})`, positiveInteger)
    .option('--all', 'list all, page after page')
    .addOption(
      new Option('--format <format>', 'text for people; json, csv (RFC 4180) or jsonl for programs')
        .choices(FORMATS)
        .default('text'),
    );

/** Prints a list. All formats but JSON are printed page by page, so a long list takes no memory. */
export async function printListing(
  { world, call, options }: Pick<Session<ListingOptions>, 'world' | 'call' | 'options'>,
  listing: Listing,
): Promise<void> {
  const { limit = DEFAULT_ITEMS, all = false } = options;
  if (all && options.limit !== undefined) throw new UsageError('--all and --limit exclude each other');
  const format = options.json === true ? 'json' : options.format;
  const most = all ? Number.POSITIVE_INFINITY : limit;
  const held: Json[] = [];
  let printed = 0;
  let next: string | undefined;
  do {
    const asked = { ...listing.conditions, limit: String(Math.min(listing.pageItems, most - printed)), cursor: next };
    const page = await call('GET', listing.target + query(asked));
    const items = list(page, 'items');
    if (format === 'json') held.push(...items);
    else world.out(linesOf(format, listing, items, printed === 0).join(''));
    printed += items.length;
    const cursor = ownValue(page, 'next');
    next = typeof cursor === 'string' && cursor !== next ? cursor : undefined;
  } while (next !== undefined && printed < most);
  if (format === 'json') world.out(`${jsonText(next === undefined ? { items: held } : { items: held, next })}\n`);
  else if (format === 'text' && printed === 0) {
    const hint = await listing.hint?.(call);
    world.out(hint === undefined ? `${listing.none}\n` : `${listing.none}\n${printable(hint, 600)}\n`);
  } else if (format === 'text' && next !== undefined) world.out('… and more: --all lists them\n');
}

function linesOf(format: string, { rowOf, columns }: Listing, items: readonly Json[], isFirst: boolean): string[] {
  if (format === 'jsonl') return items.map((item) => `${jsonText(item, 0)}\n`);
  if (format === 'text') return table(items.map(rowOf)).map((line) => `${line}\n`);
  const head = isFirst ? [csvLine(Object.keys(columns))] : [];
  return [...head, ...items.map((item) => csvLine(Object.values(columns).map((cell) => cell(item))))];
}

/**
 * A line of CSV (RFC 4180). A spreadsheet would take a cell that begins with `=`, `+`, `-`, `@` for a formula, so such a
 * cell gets an apostrophe in front.
 */
export function csvLine(cells: readonly string[]): string {
  return `${cells.map((cell) => csvCell(visible(cell, Infinity))).join(',')}\r\n`;
}

function csvCell(text: string): string {
  const safe = /^[=+\-@]/.test(text) ? `'${text}` : text;
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
