import { Option, type Command } from 'commander';
import type { Json } from '../../../libs/kernel/canonical-json.js';
import { ReasonCode } from '../../../libs/vocabulary/words.js';
import { archiveHint } from '../archived.js';
import { path, query, ServiceProblem, type Call } from '../client.js';
import { describe, positiveInteger, serviceAction, type Exits } from '../command.js';
import { printListing, withListing, type Listing, type ListingOptions } from '../listing.js';
import { at } from '../print.js';
import { callReport } from '../report/call-detail.js';
import { damageOf, isDamaged } from '../report/call-report.js';
import { showReport, withFormat, type FormatOptions } from '../report/show.js';
import { fromOption, toOption } from '../since.js';
import { UsageError, type World } from '../world.js';

interface CallsOptions extends ListingOptions {
  readonly denied?: boolean;
  readonly allowed?: boolean;
  readonly decision?: string;
  readonly reason?: string;
  readonly user?: string;
  readonly agent?: string;
  readonly capability?: string;
  readonly version?: string;
  readonly operation?: string;
  readonly host?: string;
  readonly task?: string;
  readonly trace?: string;
  readonly identity?: string;
  readonly policyVersion?: number;
  readonly reviewStatus?: string;
  readonly from?: string;
  readonly to?: string;
}

const REASONS: readonly string[] = ['ok', ...ReasonCode.options];

/** Most items that the service answers at once. */
const PAGE_ITEMS = 200;

/** Adds the commands that find calls and show one. */
export function addCalls(program: Command, world: World, exits: Exits): void {
  addList(program, world, exits);
  addOne(program, world, exits);
}

function addList(program: Command, world: World, exits: Exits): void {
  const calls = describe(program, 'calls', {
    about: 'Find calls by conditions that must all hold, newest first',
    example:
      'sallyport calls --user ada --denied --from 7d\n' +
      'sallyport calls --capability filesystem --from 2026-11-29 --all --format csv > calls.csv',
  })
    .option('--denied', 'only denied calls')
    .option('--allowed', 'only allowed calls')
    .option('--reason <code>', 'with one reason code')
    .option('--user <id>', 'for one user')
    .option('--agent <agent>', 'by one agent')
    .option('--capability <id>', 'of one capability')
    .option('--version <version>', 'of one version')
    .option('--operation <operation>', 'of one operation')
    .option('--host <name>', 'of one host')
    .option('--task <taskId>', 'of one task')
    .option('--trace <traceId>', 'of one trace')
    .option('--identity <name>', 'of a user, an agent, a host or an actor')
    .option('--policy-version <n>', 'decided under one version of the policies', positiveInteger)
    .option('--review-status <status>', 'to versions that have this status now')
    .option('--from <time>', 'not before this time: 2h, 7d, 2026-11-29 or RFC 3339', fromOption)
    .option('--to <time>', 'not after this time', toOption)
    .addOption(new Option('--decision <decision>', 'deny, allow or all').hideHelp());
  serviceAction<CallsOptions>(withListing(calls), world, exits, 'auditor', async (session) => {
    await printListing(session, { ...LISTING, conditions: conditionsOf(session.options) });
  });
}

function conditionsOf(options: CallsOptions): Listing['conditions'] {
  const { denied, allowed, decision = 'all', from, to, policyVersion } = options;
  if (denied === true && allowed === true) throw new UsageError('--denied and --allowed exclude each other');
  if (!['deny', 'allow', 'all'].includes(decision)) throw new UsageError('--decision needs deny, allow or all');
  if (from !== undefined && to !== undefined && from > to) throw new UsageError('--from is after --to');
  if (options.reason !== undefined && !REASONS.includes(options.reason))
    throw new UsageError(`--reason needs one of ${REASONS.join(', ')}`);
  const { reason, user, agent, capability, version, operation, host, task, trace, identity, reviewStatus } = options;
  const named = { reason, user, agent, capability, version, operation, host, task, trace, identity, reviewStatus };
  const wanted = denied === true ? 'deny' : allowed === true ? 'allow' : decision === 'all' ? undefined : decision;
  return { decision: wanted, ...named, policyVersion: policyVersion?.toString(), from, to };
}

const cell =
  (...path: readonly string[]) =>
  (call: Json): string =>
    at(call, ...path);

const LISTING: Omit<Listing, 'conditions'> = {
  target: path('audit', 'calls'),
  pageItems: PAGE_ITEMS,
  none: 'no such call',
  hint: archiveHint,
  rowOf: (call) =>
    isDamaged(call)
      ? [damageOf(call)]
      : [
          at(call, 'time'),
          at(call, 'decision').toUpperCase(),
          at(call, 'reason'),
          `${at(call, 'capability')}/${at(call, 'operation')}`,
          `${at(call, 'user', 'id') || 'an unknown user'} on ${at(call, 'host')}`,
          `call ${at(call, 'callId')}`,
          at(call, 'traceId') === '' ? `task ${at(call, 'taskId')}` : `trace ${at(call, 'traceId')}`,
        ],
  columns: {
    time: cell('time'),
    decision: cell('decision'),
    reason: cell('reason'),
    capability: cell('capability'),
    version: cell('version'),
    operation: cell('operation'),
    user: cell('user', 'id'),
    agent: cell('agent'),
    host: cell('host'),
    callId: cell('callId'),
    attempt: cell('attempt'),
    taskId: cell('taskId'),
    traceId: cell('traceId'),
    policyVersion: cell('policyVersion'),
    rule: cell('scopeCheck', 'rule'),
    verdict: cell('response', 'verdict'),
    outcome: cell('outcome', 'status'),
    position: cell('position'),
    damage: (call) => (isDamaged(call) ? damageOf(call) : ''),
  },
};

interface CallOptions extends FormatOptions {
  readonly task?: string;
}

function addOne(program: Command, world: World, exits: Exits): void {
  const one = describe(program, 'call <callId>', {
    about: 'Tell the whole evidence of one call, with its content',
    example: 'sallyport call 7d0f1f8c-2f43-4c3f-8a53-5a3f0f1d7a11',
  }).option('--task <taskId>', 'the task of the call, if two tasks have a call with this id');
  serviceAction<CallOptions>(withFormat(one), world, exits, 'auditor', async (session) => {
    const callId = session.args[0] ?? '';
    const answer = await oneCall(session.call, callId, session.options.task);
    showReport(session, answer, `Sallyport call ${callId}`, () => callReport(answer));
  });
}

async function oneCall(call: Call, callId: string, task: string | undefined) {
  try {
    return await call('GET', path('audit', 'calls', callId) + query({ task }));
  } catch (error) {
    if (!(error instanceof ServiceProblem) || error.code !== 'not_found') throw error;
    const hint = await archiveHint(call);
    if (hint === undefined) throw error;
    throw new ServiceProblem(error.status, error.code, `${error.message}. ${hint}`, error.errors);
  }
}
