import { parseArgs } from 'node:util';
import { codeOf } from '../../../libs/sqlite-file/codes.js';
import { readSettings } from '../settings.js';
import { archiveFolder, WrongUsage, type Archived } from './archive.js';
import { instantOf } from './closed-traces.js';

/**
 * `sallyport archive`: `--before <date> --out <folder> [--prune] [--json]`. Exits with 1 if a trace was left out that should
 * have been archived, and with 2 if the arguments are wrong.
 */
async function main(args: readonly string[]): Promise<void> {
  process.umask(0o077);
  const { values } = parseArgs({
    args: [...args],
    options: {
      before: { type: 'string', default: '' },
      out: { type: 'string', default: '' },
      prune: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const { before: text, out, prune, json } = values;
  const before = instantOf(text);
  if (before === undefined || out === '') throw new WrongUsage('--before needs a date, and --out a folder');
  const archived = await archiveFolder(readSettings(process.env), { before, out, prune });
  const lines = json ? [JSON.stringify(archived, undefined, 2)] : linesOf(archived, out, prune);
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  process.exitCode = archived.leftOut.length === 0 ? 0 : 1;
}

function linesOf({ traces, events, partly, lists, leftOut, pruned }: Archived, out: string, prune: boolean): string[] {
  return [
    ...leftOut.map(({ traceId, why }) => `left out: trace ${traceId}: ${why}`),
    `archived ${traces} traces with ${events} events to ${out}: each bundle was verified, ${partly} of them as far as they go`,
    ...lists.map((digest) => `recorded: TracesArchived ${digest}`),
    ...(prune ? [`removed ${pruned} events with their content from the log`] : []),
  ];
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const isSystem = error instanceof Error && ('errno' in error || 'errcode' in error);
  const text = isSystem || !(error instanceof Error) ? `the archive cannot be made: ${codeOf(error)}` : error.message;
  process.stderr.write(`sallyport: ${text}\n`);
  process.exitCode = error instanceof WrongUsage ? 2 : 1;
});
