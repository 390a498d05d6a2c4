import type { Command } from 'commander';
import type { Json } from '../../../libs/kernel/canonical-json.js';
import { path } from '../client.js';
import { describe, readInput, serviceAction, type Exits } from '../command.js';
import { at, list, printable } from '../print.js';
import { verdictOf, type VerdictOptions } from '../verdict.js';
import type { World } from '../world.js';
import { addPolicyFiles } from './policy-files.js';

/** Commands about Cedar policies: the authority of users over operations. */
export function addPolicy(program: Command, world: World, exits: Exits): void {
  const policy = program.command('policy').description('The Cedar policies that give users authority');

  addPolicyFiles(policy, world, exits);
  addPropose(policy, world, exits);
  addReview(policy, world, exits);
  addShow(policy, world, exits);
}

function addPropose(policy: Command, world: World, exits: Exits): void {
  const propose = describe(policy, 'propose <file>', {
    about: 'Propose a policy set (Cedar; - reads stdin); it takes effect when another principal approves it',
    example: 'sallyport policy propose readers.cedar --reason "the analysts may read files"',
  })
    .requiredOption('--reason <text>', 'why; it is part of the record')
    .option('--set <set>', 'the policy set', 'default');
  serviceAction<{ reason: string; set: string }>(
    propose,
    world,
    exits,
    'registrar',
    async ({ call, args, options, show }) => {
      const cedar = await readInput(world, args[0] ?? '-');
      const answer = await call('POST', path('policies', options.set), { cedar, reason: options.reason });
      const named = `${at(answer, 'set')} ${at(answer, 'policyVersion')}`;
      show(answer, () => [
        printable(`proposed policy set ${named}: ${at(answer, 'status')}`),
        ...list(answer, 'warnings').map((warning) => printable(`warning: ${at(warning)}`)),
        printable(
          `Next, by another principal: sallyport policy review ${at(answer, 'policyVersion')} --set ${at(answer, 'set')} --approve --reason …`,
        ),
      ]);
    },
  );
}

interface ReviewOptions extends VerdictOptions {
  readonly reason: string;
  readonly set: string;
}

function addReview(policy: Command, world: World, exits: Exits): void {
  const review = describe(policy, 'review <policyVersion>', {
    about: 'Approve (and activate) or reject a policy set that another principal proposed',
    example: 'sallyport policy review 1 --approve --reason "matches the ticket"',
  })
    .option('--approve', 'it is used from now on')
    .option('--reject', 'it is not used')
    .requiredOption('--reason <text>', 'why; it is part of the record')
    .option('--set <set>', 'the policy set', 'default');
  serviceAction<ReviewOptions>(review, world, exits, 'reviewer', async ({ call, args, options, show }) => {
    const verdict = verdictOf(options);
    const target = path('policies', options.set, args[0] ?? '', 'review');
    const answer = await call('POST', target, { verdict, reason: options.reason });
    show(answer, () => [printable(`policy set ${options.set} ${args[0] ?? ''}: ${at(answer, 'status') || verdict}`)]);
  });
}

function addShow(policy: Command, world: World, exits: Exits): void {
  const showPolicy = describe(policy, 'show [set]', {
    about: 'Show a policy set and its versions',
    example: 'sallyport policy show',
  });
  serviceAction(showPolicy, world, exits, 'registrar', async ({ call, args, show }) => {
    const answer = await call('GET', path('policies', args[0] ?? 'default'));
    const active = at(answer, 'active');
    show(answer, () =>
      list(answer, 'versions').flatMap((one) => [
        printable(
          `version ${at(one, 'policyVersion')} ${at(one, 'status')}${versionMark(one, active)} by ${at(one, 'proposedBy')}: ${at(one, 'reason')}`,
        ),
        ...at(one, 'cedar')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => `  ${printable(line, 2000)}`),
      ]),
    );
  });
}

function versionMark(version: Json, active: string): string {
  return active !== '' && at(version, 'policyVersion') === active ? ' (in use)' : '';
}
