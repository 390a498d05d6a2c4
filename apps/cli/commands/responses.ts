import { Option, type Command } from 'commander';
import type { Json } from '../../../libs/kernel/canonical-json.js';
import { everyPage, path, type Call } from '../client.js';
import { describe, serviceAction, type Exits } from '../command.js';
import { printListing, withListing, type Listing, type ListingOptions } from '../listing.js';
import { at, list } from '../print.js';
import { damageOf, isDamaged } from '../report/call-report.js';
import { UsageError, type World } from '../world.js';

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
    await printListing(session, { ...LISTING, none: `no response is ${state}`, conditions: { state, task } });
  });
}

const kindsOf = (item: Json): string => {
  const kinds = list(item, 'findings').map((finding) => `${at(finding, 'severity')} ${at(finding, 'kind')}`);
  return [...new Set(kinds)].join(', ');
};

/** Nothing can be released once the task has ended. */
const endedText = (item: Json): string => {
  const status = at(item, 'taskStatus');
  return status === '' || status === 'open' ? '' : ` (its task is ${status})`;
};

const cell =
  (...names: readonly string[]) =>
  (item: Json): string =>
    at(item, ...names);

const LISTING: Omit<Listing, 'conditions' | 'none'> = {
  target: path('responses'),
  pageItems: PAGE_ITEMS,
  rowOf: (item) =>
    isDamaged(item)
      ? [damageOf(item)]
      : [
          at(item, 'heldAt'),
          `${at(item, 'state')}${endedText(item)}`,
          `${at(item, 'capability')}/${at(item, 'operation')}`,
          `on ${at(item, 'host')}`,
          `call ${at(item, 'callId')}`,
          `task ${at(item, 'taskId')}`,
          kindsOf(item),
        ],
  columns: {
    heldAt: cell('heldAt'),
    state: cell('state'),
    taskStatus: cell('taskStatus'),
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
  readonly task?: string;
  readonly reason: string;
}

function addRelease(program: Command, world: World, exits: Exits): void {
  const release = describe(program, 'release <callId>', {
    about: 'Let the host have a held response, as marked evidence; its task stays tainted',
    example:
      'sallyport release 7d0f1f8c-2f43-4c3f-8a53-5a3f0f1d7a11 --reason "it quotes an attack, and is a report about it"',
  })
    .option('--task <taskId>', 'the task of the call (default: that of the held response)')
    .requiredOption('--reason <text>', 'why; it is part of the record');
  serviceAction<ReleaseOptions>(release, world, exits, 'reviewer', async ({ call, args, options, show }) => {
    const [callId = ''] = args;
    const taskId = options.task ?? (await taskOf(call, callId));
    const answer = await call('POST', path('calls', callId, 'release'), { taskId, reason: options.reason });
    show(answer, () => [`released by ${at(answer, 'releasedBy')}, at position ${at(answer, 'position')}`]);
  });
}

/** The task of a held response. Several tasks may have a call of one id. */
async function taskOf(call: Call, callId: string): Promise<string> {
  const held = list(await everyPage(call, path('responses'), { state: 'held' }), 'items');
  const tasks = held.filter((each) => at(each, 'callId') === callId).map((each) => at(each, 'taskId'));
  const [task] = tasks;
  if (task === undefined)
    throw new UsageError('no response of this call is held: `sallyport held` lists those that are');
  if (tasks.length > 1)
    throw new UsageError(`several tasks hold a response of this call, give --task: ${tasks.join(', ')}`);
  return task;
}
