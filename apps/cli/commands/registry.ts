import { Option, type Command } from 'commander';
import { isJsonObject, ownValue, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import { Handling } from '../../../libs/vocabulary/quarantine.js';
import { Effect, Kind, VersionStatus } from '../../../libs/vocabulary/words.js';
import { path, query, ServiceProblem } from '../client.js';
import { collect, describe, readObject, serviceAction, type Exits } from '../command.js';
import { agentText } from '../agent-text.js';
import { diffText } from '../diff-text.js';
import { dig, list, moreOf } from '../print.js';
import { showBeforeApproval } from '../review-text.js';
import { capabilityRows, versionLine, versionLines, warningLines } from '../version-text.js';
import { verdictOf, type VerdictOptions } from '../verdict.js';
import { UsageError, type World } from '../world.js';
import { assertExceptions, explainExceptions } from './exceptions.js';

/** Commands about capabilities and their versions. */
export function addRegistry(program: Command, world: World, exits: Exits): void {
  addRegister(program, world, exits);
  addPropose(program, world, exits);
  addReview(program, world, exits);
  addMoves(program, world, exits);
  addCapabilities(program, world, exits);
  addDiff(program, world, exits);
  addPending(program, world, exits);
}

function addRegister(program: Command, world: World, exits: Exits): void {
  const register = describe(program, 'register <file>', {
    about: 'Register a capability with its first version, as `capture` wrote it (- reads stdin)',
    example: 'sallyport register filesystem.json',
  });
  serviceAction(register, world, exits, 'registrar', async ({ call, args, show }) => {
    const answer = await call('POST', path('capabilities'), await readObject(world, args[0] ?? '-'));
    show(answer, () => [
      `registered ${versionLine(dig(answer, 'version'))}`,
      ...warningLines(answer),
      'It cannot be called before someone else has reviewed it: sallyport review',
    ]);
  });
}

function addPropose(program: Command, world: World, exits: Exits): void {
  const propose = describe(program, 'propose <file>', {
    about: 'Propose a new version of a registered capability, as `capture` wrote it (- reads stdin)',
    example: 'sallyport propose filesystem-2026.9.json',
  }).option('--capability <id>', 'the capability, if the file holds only a version');
  serviceAction<{ capability?: string }>(propose, world, exits, 'registrar', async ({ call, args, options, show }) => {
    const { capability, proposal } = proposalIn(await readObject(world, args[0] ?? '-'), options.capability);
    const answer = await call('POST', path('capabilities', capability, 'versions'), proposal);
    show(answer, () => [`proposed ${versionLine(dig(answer, 'version'))}`, ...warningLines(answer)]);
  });
}

interface ReviewOptions extends VerdictOptions {
  readonly reason: string;
  readonly exception: readonly string[];
  readonly quarantine?: string;
  readonly expectedRevision?: string;
  readonly yes?: boolean;
}

function addReview(program: Command, world: World, exits: Exits): void {
  const review = describe(program, 'review <capability> <version>', {
    about:
      'Approve or reject a version that another principal proposed; read `diff` or `capabilities <id> <version>` first',
    example:
      'sallyport review filesystem 2026.8.31 --approve --reason "read the source, ran it in a sandbox" --exception signature_missing',
  })
    .option('--approve', 'it may be used')
    .option('--reject', 'it may not be used')
    .requiredOption('--reason <text>', 'why; it is part of the record')
    .option('--exception <code>', 'accept a weakness by name, see below (repeatable)', collect, [])
    .addOption(
      new Option(
        '--quarantine <handling>',
        'what becomes of responses that hold instructions: quoted as evidence, held until released, or refused',
      ).choices(Handling.options),
    )
    .option('--expected-revision <n>', 'only if the capability is still at this revision')
    .option('--yes', 'in a terminal: approve without showing the version and asking first');
  explainExceptions(review);
  serviceAction<ReviewOptions>(review, world, exits, 'reviewer', async (session) => {
    const { call, args, options, show } = session;
    const verdict = verdictOf(options);
    assertExceptions('--exception', options.exception);
    const [capability = '', version = ''] = args;
    if (options.approve === true && options.yes !== true && !(await showBeforeApproval(session, capability, version)))
      throw new UsageError('not approved: nothing was sent');
    const answer = await call(
      'POST',
      path('capabilities', capability, 'versions', version, 'review'),
      defined({
        verdict,
        reason: options.reason,
        exceptions: options.exception.length === 0 ? undefined : options.exception,
        quarantine: options.quarantine,
        expectedRevision: options.expectedRevision === undefined ? undefined : Number(options.expectedRevision),
      }),
    ).catch(saySecondReview);
    show(answer, () => [versionLine(dig(answer, 'version')), ...warningLines(answer)]);
  });
}

/** A version has one review, so another handling of responses needs another version. */
function saySecondReview(error: unknown): never {
  if (!(error instanceof ServiceProblem) || error.code !== 'invalid_transition') throw error;
  const how = 'a version is reviewed once: `sallyport propose` a new version to change its review or its quarantine';
  throw new ServiceProblem(error.status, error.code, `${error.message}; ${how}`, error.errors);
}

/** Commands that move a reviewed version: `suspend`, `reinstate` and `revoke`. */
function addMoves(program: Command, world: World, exits: Exits): void {
  // A reviewer may suspend too, but cannot reinstate a version that it suspended.
  const moves = [
    ['suspend', 'operator', 'Stop a version in every running task until it is reinstated', 'CVE under investigation'],
    ['reinstate', 'reviewer', 'Permit a suspended version again', 'the drift was a new docstring'],
    ['revoke', 'operator', 'Stop a version permanently', 'the maintainer account was taken over'],
  ] as const;
  for (const [move, role, about, reason] of moves) {
    const example = `sallyport ${move} filesystem 2026.8.31 --reason "${reason}"`;
    const command = describe(program, `${move} <capability> <version>`, { about, example });
    command.requiredOption('--reason <text>', 'why; it is part of the record');
    serviceAction<{ reason: string }>(command, world, exits, role, async ({ call, args, options, show }) => {
      const [capability = '', version = ''] = args;
      const target = path('capabilities', capability, 'versions', version, move);
      const answer = await call('POST', target, { reason: options.reason });
      show(answer, () => [versionLine(dig(answer, 'version'))]);
    });
  }
}

interface ListOptions {
  readonly [filter: string]: string | undefined;
}

function addCapabilities(program: Command, world: World, exits: Exits): void {
  const capabilities = describe(program, 'capabilities [id] [version]', {
    about: 'List the registry, show one capability, or show one version with its definition',
    example: 'sallyport capabilities --status approved\nsallyport capabilities filesystem 2026.8.31 --json',
  })
    .option('--status <status>', VersionStatus.options.join(', '))
    .option('--kind <kind>', Kind.options.join(', '))
    .option('--category <category>', 'of one category')
    .option('--owner <owner>', 'of one owner')
    .option('--effect <effect>', Effect.options.join(', '));
  serviceAction<ListOptions>(capabilities, world, exits, 'registrar', async ({ call, args, options, show }) => {
    const [id, version] = args;
    if (id !== undefined && version !== undefined) {
      const answer = await call('GET', path('capabilities', id, 'versions', version));
      return show(answer, () => [
        ...versionLines(answer),
        ...warningLines(answer),
        ...agentText(dig(answer, 'definition')),
      ]);
    }
    if (id !== undefined) {
      const answer = await call('GET', path('capabilities', id));
      return show(answer, () => capabilityRows([answer]));
    }
    const { status, kind, category, owner, effect } = options;
    const answer = await call(
      'GET',
      path('capabilities') + query({ status, kind, category, owner, effect, limit: '200' }),
    );
    show(answer, () => {
      const rows = capabilityRows(list(answer, 'items'));
      return rows.length === 0 ? ['nothing is registered that matches'] : [...rows, ...moreOf(answer)];
    });
  });
}

function addDiff(program: Command, world: World, exits: Exits): void {
  const diff = describe(program, 'diff <capability> <version>', {
    about: 'Show the changes of a version, each text whole, before and after',
    example: 'sallyport diff filesystem 2026.9.1 --against 2026.8.31',
  })
    .usage('<capability> <version> --against <version> [options]')
    .requiredOption('--against <version>', 'the version to compare with');
  serviceAction<{ against: string }>(diff, world, exits, 'reviewer', async ({ call, args, options, show }) => {
    const [capability = '', version = ''] = args;
    const target = path('capabilities', capability, 'versions', version, 'diff') + query({ against: options.against });
    const answer = await call('GET', target);
    // The texts are for a person. A program receives only the diff.
    const both = options.json === true ? [] : [options.against, version];
    const [before, after] = await Promise.all(
      both.map((each) => call('GET', path('capabilities', capability, 'versions', each))),
    );
    show(answer, () => diffText(answer, dig(before, 'definition') ?? null, dig(after, 'definition') ?? null));
  });
}

function addPending(program: Command, world: World, exits: Exits): void {
  const pending = describe(program, 'pending', {
    about: 'List the versions and policies that wait for a review',
    example: 'sallyport pending',
  });
  serviceAction(pending, world, exits, 'reviewer', async ({ call, show }) => {
    const answer = await call('GET', `/v1/reviews${query({ status: 'pending' })}`);
    show(answer, () => {
      const items = list(answer, 'items');
      return items.length === 0 ? ['nothing waits for a review'] : [...items.map(versionLine), ...moreOf(answer)];
    });
  });
}

/** Only the capability and the version, from a whole registration or a proposal. */
function proposalIn(object: JsonObject, given: string | undefined): { capability: string; proposal: JsonObject } {
  const version = ownValue(object, 'version');
  const id = ownValue(object, 'id');
  const proposal = isJsonObject(version) ? version : object;
  const capability = given ?? (typeof id === 'string' ? id : undefined);
  if (capability === undefined) throw new UsageError('which capability? The file does not say: give --capability');
  return { capability, proposal };
}
