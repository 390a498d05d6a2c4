import type { Command } from 'commander';
import { path, query } from '../client.js';
import { describe, positiveInteger, serviceAction, type Exits } from '../command.js';
import { at, list, moreOf, table } from '../print.js';
import { UsageError, type World } from '../world.js';

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

/** Adds the command that finds calls. */
export function addCalls(program: Command, world: World, exits: Exits): void {
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
}
