import { Option, type Command } from 'commander';
import type { Json } from '../../../libs/kernel/canonical-json.js';
import { path } from '../client.js';
import { describe, serviceAction, type Exits } from '../command.js';
import { printListing, withListing, type Listing, type ListingOptions } from '../listing.js';
import { at, list } from '../print.js';
import { damageOf, isDamaged } from '../report/call-report.js';
import type { World } from '../world.js';

/** Most items that the service answers at once. */
const PAGE_ITEMS = 200;

/** Commands about responses that wait for a release. */
export function addResponses(program: Command, world: World, exits: Exits): void {
  addHeld(program, world, exits);
  addRelease(program, world, exits);
}

interface HeldOptions extends ListingOptions {
  readonly state: 'held' | 'released';
  readonly task?: string;
}

function addHeld(program: Command, world: World, exits: Exits): void {
  const held = describe(program, 'held', {
    about: 'List the responses that wait for a release, newest first',
    example: 'sallyport held\nsallyport held --state released --all --format csv > released.csv',
  })
    .addOption(
      new Option('--state <state>', 'those that wait, or those that were released')
        .choices(['held', 'released'])
        .default('held'),
    )
    .option('--task <taskId>', 'of one task');
  serviceAction<HeldOptions>(withListing(held), world, exits, 'reviewer', async (session) => {
    const { state, task } = session.options;
    await printListing(session, { ...LISTING, conditions: { state, task } });
  });
}

const kindsOf = (item: Json): string => {
  const kinds = list(item, 'findings').map((finding) => `${at(finding, 'severity')} ${at(finding, 'kind')}`);
  return [...new Set(kinds)].join(', ');
};

const cell =
  (...names: readonly string[]) =>
  (item: Json): string =>
    at(item, ...names);

const LISTING: Omit<Listing, 'conditions'> = {
  target: path('responses'),
  pageItems: PAGE_ITEMS,
  none: 'no such response',
  rowOf: (item) =>
    isDamaged(item)
      ? [damageOf(item)]
      : [
          at(item, 'heldAt'),
          at(item, 'state'),
          `${at(item, 'capability')}/${at(item, 'operation')}`,
          `on ${at(item, 'host')}`,
          `call ${at(item, 'callId')}`,
          `task ${at(item, 'taskId')}`,
          kindsOf(item),
        ],
  columns: {
    heldAt: cell('heldAt'),
    state: cell('state'),
    capability: cell('capability'),
    version: cell('version'),
    operation: cell('operation'),
    host: cell('host'),
    callId: cell('callId'),
    taskId: cell('taskId'),
    traceId: cell('traceId'),
    findings: kindsOf,
    releasedBy: cell('released', 'by'),
    releasedAt: cell('released', 'at'),
    reason: cell('released', 'reason'),
    position: cell('position'),
  },
};

interface ReleaseOptions {
  readonly task: string;
  readonly reason: string;
}

function addRelease(program: Command, world: World, exits: Exits): void {
  const release = describe(program, 'release <callId>', {
    about: 'Let the host have a held response, as marked evidence; its task stays tainted',
    example:
      'sallyport release 7d0f1f8c-2f43-4c3f-8a53-5a3f0f1d7a11 --task 0b9bdb52-8f0e-4b8e-9d5c-0f5c2f9a4a10 --reason "it quotes an attack, and is a report about it"',
  })
    .requiredOption('--task <taskId>', 'the task of the call')
    .requiredOption('--reason <text>', 'why; it is part of the record');
  serviceAction<ReleaseOptions>(release, world, exits, 'reviewer', async ({ call, args, options, show }) => {
    const { task: taskId, reason } = options;
    const answer = await call('POST', path('calls', args[0] ?? '', 'release'), { taskId, reason });
    show(answer, () => [`released by ${at(answer, 'releasedBy')}, at position ${at(answer, 'position')}`]);
  });
}
