import type { Command } from 'commander';
import { path, query } from '../client.js';
import { describe, positiveInteger, serviceAction, type Exits } from '../command.js';
import { at, list, moreOf, printable, table } from '../print.js';
import { timelineOf } from '../timeline.js';
import { EXIT, UsageError, type World } from '../world.js';

interface CallsOptions {
  readonly decision: string;
  readonly reason?: string;
  readonly capability?: string;
  readonly host?: string;
  readonly task?: string;
  readonly identity?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: number;
}

/** Commands about evidence. */
export function addAudit(program: Command, world: World, exits: Exits): void {
  const trace = describe(program, 'trace <traceId>', {
    about: 'Show all evidence of a trace, in order',
    example: 'sallyport trace 4bf92f3577b34da6a3ce929d0e0e4736',
  });
  serviceAction(trace, world, exits, 'auditor', async ({ call, args, show }) => {
    const answer = await call('GET', path('audit', 'traces', args[0] ?? ''));
    show(answer, () => timelineOf(answer));
  });

  const calls = describe(program, 'calls', {
    about: 'List recent calls, newest first: denials, unless --decision says otherwise',
    example: 'sallyport calls --capability filesystem --from 2026-11-29T08:00:00.000Z',
  })
    .option('--decision <decision>', 'deny, allow or all', 'deny')
    .option('--reason <code>', 'with one reason code')
    .option('--capability <id>', 'of one capability')
    .option('--host <name>', 'of one host')
    .option('--task <taskId>', 'of one task')
    .option('--identity <name>', 'of a user, an agent, a host or an actor')
    .option('--from <time>', 'not before this RFC 3339 time')
    .option('--to <time>', 'not after this RFC 3339 time')
    .option('--limit <n>', 'the most to list (default: 50, up to 200)', positiveInteger);
  serviceAction<CallsOptions>(calls, world, exits, 'auditor', async ({ call, options, show }) => {
    const { decision, reason, capability, host, task, identity, from, to, limit } = options;
    if (!['deny', 'allow', 'all'].includes(decision)) throw new UsageError('--decision needs deny, allow or all');
    const conditions = { reason, capability, host, task, identity, from, to, limit: limit?.toString() };
    const decided = decision === 'all' ? undefined : decision;
    const answer = await call('GET', path('audit', 'calls') + query({ ...conditions, decision: decided }));
    show(answer, () => {
      const rows = list(answer, 'items').map((one) => [
        at(one, 'time'),
        at(one, 'decision').toUpperCase(),
        at(one, 'reason'),
        `${at(one, 'capability')}/${at(one, 'operation')}`,
        `${at(one, 'user', 'id') || 'an unknown user'} on ${at(one, 'host')}`,
        `task ${at(one, 'taskId')}`,
      ]);
      return rows.length === 0 ? ['no such call'] : [...table(rows), ...moreOf(answer)];
    });
  });

  const replay = describe(program, 'replay <traceId>', {
    about: `Decide every call of a trace again from its record; exits with ${EXIT.notIdentical} if any decision differs`,
    example: 'sallyport replay 4bf92f3577b34da6a3ce929d0e0e4736',
  });
  serviceAction(replay, world, exits, 'auditor', async ({ call, args, show }) => {
    const answer = await call('GET', path('audit', 'traces', args[0] ?? '', 'replay'));
    const identical = at(answer, 'identical');
    show(answer, () => [
      ...table(
        list(answer, 'calls').map((one) => [
          SAMENESS.get(at(one, 'identical')) ?? 'DIFFERS',
          at(one, 'callId'),
          `attempt ${at(one, 'attempt')}`,
          `${at(one, 'recorded', 'decision')} ${at(one, 'recorded', 'reason')}`,
          at(one, 'recorded', 'digest'),
        ]),
      ),
      printable(verdictOf(identical, list(answer, 'calls').length)),
    ]);
    if (identical === 'true') return EXIT.done;
    return identical === 'engine_gone' ? EXIT.engineGone : EXIT.notIdentical;
  });
}

/** What a replay says of one decision; of anything else it differs. */
const SAMENESS: ReadonlyMap<string, string> = new Map([
  ['true', 'same'],
  ['shredded', 'shredded'],
  ['key_missing', 'KEY MISSING'],
  ['engine_gone', 'ENGINE GONE'],
]);

function verdictOf(identical: string, decisions: number): string {
  if (identical === 'true') return `identical: all ${decisions} decisions come out the same again`;
  if (identical !== 'engine_gone') return 'NOT IDENTICAL: the record and the rules do not agree';
  return 'ENGINE GONE: nothing differs, but the service lacks an engine that some decisions were made with';
}
