import type { Command } from 'commander';
import type { Json } from '../../../libs/kernel/canonical-json.js';
import { path, query } from '../client.js';
import { describe, positiveInteger, serviceAction, type Exits } from '../command.js';
import { at, dig, list, printable, table } from '../print.js';
import { EXIT, type World } from '../world.js';

interface SampleOptions {
  readonly calls: number;
  readonly seed?: string;
  readonly asOf?: string;
}

/** The pieces of evidence by the heads of their columns. */
const PIECES: readonly (readonly [head: string, name: string])[] = [
  ['server', 'serverIdentity'],
  ['version', 'version'],
  ['scope', 'scopeCheck'],
  ['outbound', 'outbound'],
  ['response', 'response'],
  ['validation', 'validation'],
];

/** `sallyport sample`: draws calls at random and shows which of their evidence can be read back. */
export function addSample(program: Command, world: World, exits: Exits): void {
  const sample = describe(program, 'sample', {
    about: `Draw calls at random and show which evidence can be recovered; exits with ${EXIT.notIdentical} if any is lost`,
    example: 'sallyport sample --calls 10',
  })
    .option('--calls <n>', 'how many to draw, up to 200', positiveInteger, 10)
    .option('--seed <text>', 'draws the same calls again, with the same --as-of')
    .option('--as-of <position>', 'draw only from the calls up to this position');
  serviceAction<SampleOptions>(sample, world, exits, 'auditor', async ({ call, options, show }) => {
    const { calls, seed, asOf } = options;
    const answer = await call('GET', path('audit', 'sample') + query({ calls: String(calls), seed, asOf }));
    show(answer, () => linesOf(answer));
    return at(answer, 'recoverable') === 'true' ? EXIT.done : EXIT.notIdentical;
  });
}

function linesOf(answer: Json): string[] {
  const items = list(answer, 'items');
  const heads = ['time', 'call', 'decision', ...PIECES.map(([head]) => head)];
  const again = `--seed ${at(answer, 'seed')} --as-of ${at(answer, 'asOf')}`;
  const lost = items.filter((item) => at(item, 'recoverable') !== 'true').length;
  return [
    ...table([heads, ...items.map(rowOf)]),
    ...(lost === 0 ? [] : [`${lost} of ${items.length} calls CANNOT be recovered whole`]),
    printable(`${items.length} of ${at(answer, 'total')} recorded calls; draws the same again: ${again}`),
    'Each value is shown by the start of its SHA-256 digest; --json shows the digests whole.',
  ];
}

function rowOf(item: Json): string[] {
  if (at(item, 'damaged') === 'true') return [`DAMAGED record ${at(item, 'stream')}@${at(item, 'revision')}`];
  const decided = `${at(item, 'decision').toUpperCase()} ${at(item, 'reason')}`;
  return [at(item, 'time'), at(item, 'callId'), decided, ...PIECES.map(([, name]) => cellOf(item, name))];
}

/** `sha256:` and the first 12 of its digits, or why there is no value. */
function cellOf(item: Json, name: string): string {
  const state = at(item, 'evidence', name, 'state');
  if (state === 'recovered') return at(item, 'evidence', name, 'digest').slice(7, 19);
  if (state === 'not_applicable') return '-';
  return dig(item, 'evidence', name) === undefined ? '?' : state.toUpperCase();
}
