import type { Command } from 'commander';
import { defined } from '../../../libs/kernel/defined.js';
import { ExceptionCode } from '../../../libs/vocabulary/words.js';
import { path } from '../client.js';
import { collect, describe, serviceAction, type Exits } from '../command.js';
import { dig, joined, printable } from '../print.js';
import { UsageError, type World } from '../world.js';

/** The weakness that each exception accepts, for `--help` and for a review that lacks one. */
const EXCEPTIONS_HELP = `
Exceptions, each a weakness that a reviewer accepts by name:
  signature_missing              the manifest is not signed: nothing proves who wrote it
  server_unauthenticated         nothing proves which server answers; the version then shows trust low
  schema_unenforced:<operation>  the server's schema for this operation cannot be vetted: its arguments or answers are
                                 not checked against it
`;

interface AmendOptions {
  readonly add: readonly string[];
  readonly remove: readonly string[];
  readonly reason: string;
}

/** The command that changes the exceptions of an approved version. */
export function addExceptions(program: Command, world: World, exits: Exits): void {
  const amend = describe(program, 'exceptions <capability> <version>', {
    about: 'Change the accepted weaknesses of an approved version; the next call is decided by them',
    example: 'sallyport exceptions filesystem 2026.8.31 --remove signature_missing --reason "a signed one is due"',
  })
    .option('--add <code>', 'accept a weakness (repeatable)', collect, [])
    .option('--remove <code>', 'accept it no longer (repeatable)', collect, [])
    .requiredOption('--reason <text>', 'why; it is part of the record');
  explainExceptions(amend);
  serviceAction<AmendOptions>(amend, world, exits, 'reviewer', async ({ call, args, options, show }) => {
    const { add, remove, reason } = options;
    if (add.length + remove.length === 0) throw new UsageError('give --add or --remove');
    assertExceptions('--add', add);
    assertExceptions('--remove', remove);
    const [capability = '', version = ''] = args;
    const body = defined({
      add: add.length === 0 ? undefined : add,
      remove: remove.length === 0 ? undefined : remove,
      reason,
    });
    const answer = await call('POST', path('capabilities', capability, 'versions', version, 'exceptions'), body);
    show(answer, () => {
      const accepted = joined(dig(answer, 'version', 'review'), 'exceptions');
      return [printable(`${capability}@${version} accepts ${accepted === '' ? 'no weakness' : accepted}`, 4000)];
    });
  });
}

/** Adds the meaning of each exception to the help of a command. */
export function explainExceptions(command: Command): void {
  command.addHelpText('after', EXCEPTIONS_HELP);
}

/** Throws `UsageError` for a code that no version can have as an exception. */
export function assertExceptions(option: string, codes: readonly string[]): void {
  for (const code of codes) {
    if (!ExceptionCode.safeParse(code).success) throw new UsageError(`${option}: ${code} is no reason code`);
  }
}
