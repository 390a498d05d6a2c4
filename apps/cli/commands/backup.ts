import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, type Exits } from '../command.js';
import { runOffline } from '../offline.js';
import { UsageError, type World } from '../world.js';

const PROGRAM = fileURLToPath(new URL('../../pdp/backup/main.js', import.meta.url));
const ARCHIVE = fileURLToPath(new URL('../../pdp/archive/main.js', import.meta.url));
const CHECK = fileURLToPath(new URL('../../pdp/check/main.js', import.meta.url));

interface ArchiveOptions {
  readonly before: string;
  readonly out: string;
  readonly prune?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

interface Options {
  readonly json?: boolean;
  readonly check?: boolean;
}

/** `sallyport archive`: writes closed traces to bundles, and removes them from the log if wanted. */
function addArchive(program: Command, world: World, exits: Exits): void {
  describe(program, 'archive', {
    about:
      'Write the bundles of traces that ended before a date, and record them in the log of SALLYPORT_DATA\n\n' +
      'Stop the service first. Each bundle is verified from the disk before TracesArchived is recorded.\n' +
      '--prune then removes the calls and the content of these traces; proofs and checkpoints still verify.\n' +
      'Exit code 1 says that a trace was left out. The same command again continues after a failure.',
    example: 'sallyport archive --before 2026-01-01 --out /archive/2025 --prune',
  })
    .requiredOption('--before <date>', 'only traces whose last event is older than this date or RFC 3339 time')
    .requiredOption('--out <folder>', 'where the bundles go; keep it as safe as a backup, it holds content in clear')
    .option('--prune', 'remove the archived traces from the log')
    .option('--yes', 'with --prune: do not ask first')
    .option('--json', 'print the findings as JSON')
    .action(async ({ before, out, prune, yes, json }: ArchiveOptions) => {
      if (prune === true && yes !== true) await confirmPrune(world);
      const flags = [...(prune === true ? ['--prune'] : []), ...(json === true ? ['--json'] : [])];
      await runOffline(ARCHIVE, ['--before', before, '--out', resolve(world.cwd, out), ...flags], world, exits);
    });
}

async function confirmPrune(world: World): Promise<void> {
  if (world.ask === undefined)
    throw new UsageError('this removes calls from the log: add --yes to go on without a question');
  const answer = await world.ask('This removes archived calls from the log permanently. Type "yes" to go on: ');
  if (answer.trim().toLowerCase() !== 'yes') throw new UsageError('not confirmed: nothing was done');
}

/** Commands that read and write data folders on this machine. They ask no service. */
export function addBackup(program: Command, world: World, exits: Exits): void {
  const run = async (command: string, folders: readonly string[], { json }: Options): Promise<void> => {
    const paths = folders.map((folder) => resolve(world.cwd, folder));
    const args = [command, ...paths, ...(json === true ? ['--json'] : [])];
    return runOffline(PROGRAM, args, world, exits);
  };
  describe(program, 'backup <folder>', {
    about:
      'Back up the data folder (SALLYPORT_DATA) to a new folder, while the service runs or not\n\n' +
      'The backup holds all keys: keep it as safe as the data folder itself.',
    example: 'sallyport backup /backups/2026-11-30',
  })
    .option('--json', 'print the manifest as JSON')
    .action((folder: string, options: Options) => run('backup', [folder], options));
  addArchive(program, world, exits);
  describe(program, 'check [folder]', {
    about:
      'Walk a data folder (default: SALLYPORT_DATA) and list every damage with its place\n\n' +
      'It reads events, payloads, keys, documents, the index, checkpoints, and the witness of SALLYPORT_WITNESS_DIR.\n' +
      'The service may run. Exit code 1 says that something is damaged.',
    example: 'sallyport check /var/lib/sallyport',
  })
    .option('--json', 'print the findings as JSON')
    .action((folder: string | undefined, { json }: Options) => {
      const of = folder === undefined ? {} : { SALLYPORT_DATA: resolve(world.cwd, folder) };
      const there = { ...world, env: { ...world.env, ...of } };
      return runOffline(CHECK, json === true ? ['--json'] : [], there, exits);
    });
  describe(program, 'restore <backup> [folder]', {
    about:
      'Restore a backup into a data folder without a log (default: SALLYPORT_DATA)\n\n' +
      'The whole backup is checked first. The restored log is a new incarnation, which hosts and consumers follow.\n' +
      'With SALLYPORT_KAFKA_BROKERS set, the output lists the directives and events after the backup.',
    example: 'sallyport restore --check /backups/2026-11-30\nsallyport restore /backups/2026-11-30 /var/lib/sallyport',
  })
    .option('--check', 'only check the backup, and restore nothing')
    .option('--json', 'print the findings as JSON')
    .action((backup: string, folder: string | undefined, options: Options) => {
      if (options.check === true && folder !== undefined) throw new UsageError('--check takes no data folder');
      return run(
        options.check === true ? 'check' : 'restore',
        folder === undefined ? [backup] : [backup, folder],
        options,
      );
    });
}
