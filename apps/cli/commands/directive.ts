import { randomUUID } from 'node:crypto';
import { Option, type Command } from 'commander';
import type { Json } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import { everyPage, mayBeDone, path } from '../client.js';
import { describe, positiveInteger, serviceAction, type Exits, type Session } from '../command.js';
import { at, list, printable, table } from '../print.js';
import { parseTarget, targetText } from '../target.js';
import { matchesNothing, matchLines, missLines } from './matches.js';
import { EXIT, type World } from '../world.js';
import { instanceLine, reach, waitForAll } from './propagation.js';

const TARGET_MS = 1000;
const TIMEOUT_MS = 15_000;

interface DisableOptions {
  readonly id?: string;
  readonly reason: string;
  readonly expiresAt?: string;
  readonly ahead?: boolean;
  readonly wait?: boolean;
  readonly targetMs: number;
  readonly timeoutMs: number;
}

/** Commands about emergency disables. */
export function addDirective(program: Command, world: World, exits: Exits): void {
  addDisable(program, world, exits);
  addLift(program, world, exits);
  addPropagation(program, world, exits);
  addDirectives(program, world, exits);
}

function addDisable(program: Command, world: World, exits: Exits): void {
  const disable = describe(program, 'disable <target>', {
    about:
      'Stop a target now, on every host and in every running task.\n' +
      'Targets: all, capability:x, version:x@1, operation:x/op, publisher:x, publisher-key:x/k1, source:npm:name, category:x, effect:x,\n' +
      'host:x, task:<id>',
    example: 'sallyport disable operation:filesystem/write_file --reason "INC-4711"',
  })
    .requiredOption('--reason <text>', 'why; it is part of the record')
    .option('--id <id>', 'the id of the directive (default: a new one); the same id again asks for the outcome')
    .option('--expires-at <time>', 'when the service lifts it (RFC 3339)')
    .option('--ahead', 'the target does not exist yet: no warning and no exit 8 if it matches nothing')
    .option('--wait', 'show each instance of each host as it stops; exit 7 if one is late')
    .option('--target-ms <n>', 'with --wait: the time to be effective in, from the commit', positiveInteger, TARGET_MS)
    .option('--timeout-ms <n>', 'with --wait: the longest time to wait', positiveInteger, TIMEOUT_MS);
  serviceAction(disable, world, exits, 'operator', issue);
}

/** Issues the directive. With `--wait` it also follows the directive to each instance. Resolves to the exit code. */
async function issue({ call, args, options, show, world }: Session<DisableOptions>): Promise<number | undefined> {
  const target = parseTarget(args[0] ?? '');
  const { id = randomUUID() } = options;
  const answer = await call(
    'POST',
    path('directives'),
    defined({ id, target, reason: options.reason, expiresAt: options.expiresAt }),
  ).catch((error: unknown) => {
    if (mayBeDone(error)) world.err(`sallyport: the directive has the id ${id}: send it again with --id ${id}\n`);
    throw error;
  });
  const lines = [
    printable(
      `disabled ${targetText(target)} at epoch ${at(answer, 'epoch')}: no matching call is allowed from now on`,
    ),
    printable(`lift it with: sallyport lift ${at(answer, 'id')} --reason …`),
    ...matchLines(answer),
  ];
  const missed = options.ahead !== true && matchesNothing(answer);
  const ended = missed ? EXIT.matchesNothing : undefined;
  const warn = async (): Promise<void> => {
    if (missed) for (const line of await missLines(call, target)) world.err(`sallyport: ${line}\n`);
  };
  if (options.wait !== true) {
    show(answer, () => lines);
    await warn();
    return ended;
  }
  const { targetMs, timeoutMs, json } = options;
  const say = (line: string): void => (json === true ? undefined : world.out(`${line}\n`));
  lines.forEach(say);
  const waited = await waitForAll({ call, id: at(answer, 'id'), targetMs, timeoutMs, say });
  const { propagation, inTime, verdict } = waited;
  show({ ...answer, propagation, inTime }, () => (inTime ? [verdict] : []));
  await warn();
  if (inTime) return ended;
  world.err(`sallyport: ${verdict}\n`);
  return EXIT.late;
}

function addLift(program: Command, world: World, exits: Exits): void {
  const lift = describe(program, 'lift <id>', {
    about: 'End a directive',
    example: 'sallyport lift 7d1c8f0e-4a53-4d53-9d39-0e6b7e1f5a10 --reason "INC-4711 is closed"',
  }).requiredOption('--reason <text>', 'why; it is part of the record');
  serviceAction<{ reason: string }>(lift, world, exits, 'operator', async ({ call, args, options, show }) => {
    const answer = await call('POST', path('directives', args[0] ?? '', 'lift'), { reason: options.reason });
    show(answer, () => [printable(`lifted ${at(answer, 'id')} at epoch ${at(answer, 'epoch')}`)]);
  });
}

function addPropagation(program: Command, world: World, exits: Exits): void {
  const propagation = describe(program, 'propagation <id>', {
    about: 'Show the progress of a directive: each instance of each host that held a lease at its commit',
    example: 'sallyport propagation 7d1c8f0e-4a53-4d53-9d39-0e6b7e1f5a10',
  });
  serviceAction(propagation, world, exits, 'operator', async ({ call, args, show }) => {
    const answer = await call('GET', path('directives', args[0] ?? '', 'propagation'));
    show(answer, () => [
      printable(`epoch ${at(answer, 'epoch')}, committed ${at(answer, 'committedAt')}, ${reach(answer)}`),
      ...list(answer, 'instances').map(instanceLine),
    ]);
  });
}

interface DirectivesOptions {
  readonly state: string;
}

function addDirectives(program: Command, world: World, exits: Exits): void {
  const directives = describe(program, 'directives', {
    about: 'List the active directives, or those that were lifted',
    example: 'sallyport directives\nsallyport directives --state lifted',
  }).addOption(
    new Option('--state <state>', 'the active ones, those that were lifted, or all; newest first')
      .choices(['active', 'lifted', 'all'])
      .default('active'),
  );
  serviceAction<DirectivesOptions>(directives, world, exits, 'operator', async ({ call, options, show }) => {
    const { state } = options;
    if (state !== 'active') {
      const answer = await everyPage(call, path('directives'), { state });
      const items = list(answer, 'items');
      return show(answer, () => (items.length === 0 ? ['no such directive'] : table(items.map(recordRow))));
    }
    const answer = await call('GET', path('directives'));
    show(answer, () => {
      const active = list(answer, 'active');
      return [
        `epoch ${at(answer, 'epoch')}: ${active.length === 0 ? 'nothing is disabled' : `${active.length} active`}`,
        ...table(active.map((one) => [at(one, 'id'), targetText(one), sinceText(one)])),
      ];
    });
  });
}

const sinceText = (directive: Json): string =>
  `since ${at(directive, 'issuedAt')} by ${at(directive, 'issuedBy')}: ${at(directive, 'reason')}`;

function recordRow(directive: Json): string[] {
  const lifted = at(directive, 'liftedAt');
  const end = lifted === '' ? '' : `; lifted ${lifted} by ${at(directive, 'liftedBy')}: ${at(directive, 'liftReason')}`;
  return [at(directive, 'id'), at(directive, 'state'), targetText(directive), `${sinceText(directive)}${end}`];
}
