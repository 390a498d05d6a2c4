import type { Command } from 'commander';
import { path } from '../client.js';
import { describe, serviceAction, type Exits, type Session } from '../command.js';
import { at, printable } from '../print.js';
import { UsageError, type World } from '../world.js';

/** A user may have many thousands of tasks. */
const ERASE_MS = 600_000;

interface EraseOptions {
  readonly reason: string;
  readonly yes?: boolean;
}

/** Commands that erase content permanently. */
export function addRetention(program: Command, world: World, exits: Exits): void {
  const shred = describe(program, 'shred <taskId>', {
    about:
      'Erase the content of a task permanently: its key is destroyed\n\n' +
      'An open task is closed first. Decisions, digests and proofs remain. Backups, archives, Kafka and a SIEM keep\n' +
      'their own copies: docs/operate/retention.md lists them.',
    example: 'sallyport shred 0b9f3a52-7c55-4c1e-8a55-2f6a3a1b7f11 --reason "request 4711"',
  })
    .requiredOption('--reason <text>', 'why; it stays in the record, so it must not name the user')
    .option('--yes', 'do not ask first');
  serviceAction<EraseOptions>(shred, world, exits, 'admin', async (session) => {
    const { call, args, options, show } = session;
    const [taskId = ''] = args;
    await confirm(session, `the content of task ${taskId}`);
    const answer = await call('POST', path('tasks', taskId, 'shred'), { reason: options.reason });
    show(answer, () => [printable(`shredded ${taskId}: nobody can read its content again`)]);
  });

  const erase = describe(program, 'erase <user>', {
    about:
      'Erase a user permanently: the content of all tasks of the user, and the key of its pseudonym\n\n' +
      'Open tasks of the user are closed first. The same command again continues an erasure that failed.\n' +
      'Copies elsewhere remain: docs/operate/retention.md lists them.',
    example: 'sallyport erase ana --reason "request 4711"',
  })
    .requiredOption('--reason <text>', 'why; it stays in the record, so it must not name the user')
    .option('--yes', 'do not ask first');
  serviceAction<EraseOptions>(erase, world, exits, 'admin', async (session) => {
    const { call, args, options, show } = session;
    const [user = ''] = args;
    await confirm(session, `user ${user}, with the content of all tasks of that user,`);
    const answer = await call('POST', path('users', user, 'erase'), { reason: options.reason }, ERASE_MS);
    show(answer, () => [printable(`erased ${user}: ${at(answer, 'shreddedTasks')} tasks were shredded`)]);
  });
}

/** Asks a person at a terminal. Throws `UsageError` if the person does not agree, or cannot be asked. */
async function confirm({ world, options }: Session<EraseOptions>, what: string): Promise<void> {
  if (options.yes === true) return;
  if (world.ask === undefined)
    throw new UsageError('this erases content permanently: add --yes to go on without a question');
  const answer = await world.ask(printable(`This erases ${what} permanently. Type "yes" to go on: `));
  if (answer.trim().toLowerCase() !== 'yes') throw new UsageError('not confirmed: nothing was sent');
}
