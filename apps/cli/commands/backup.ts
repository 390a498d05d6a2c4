import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, type Exits } from '../command.js';
import { runOffline } from '../offline.js';
import { UsageError, type World } from '../world.js';

const PROGRAM = fileURLToPath(new URL('../../pdp/backup/main.js', import.meta.url));
const CHECK = fileURLToPath(new URL('../../pdp/check/main.js', import.meta.url));

interface Options {
  readonly json?: boolean;
  readonly check?: boolean;
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
