import type { Command } from 'commander';
import { isJsonObject, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import { TaskStatus } from '../../../libs/task/decider.js';
import { ApprovalGrade, Effect } from '../../../libs/vocabulary/words.js';
import { path, query } from '../client.js';
import { collect, describe, objectOption, positiveInteger, readObject, serviceAction, type Exits } from '../command.js';
import { at, list, moreOf, printable, table } from '../print.js';
import { damageOf, isDamaged } from '../report/call-report.js';
import { UsageError, type World } from '../world.js';

interface OpenOptions {
  readonly file?: string;
  readonly agent?: string;
  readonly user?: string;
  readonly role: readonly string[];
  readonly attributes?: string;
  readonly purpose?: string;
  readonly scope: readonly string[];
  readonly ttl?: number;
  readonly approve?: string;
  readonly trace?: string;
}

interface ListOptions {
  readonly status?: string;
  readonly host?: string;
  readonly limit?: number;
}

/** Commands about tasks: units of agent work with their scope and pinned versions. */
export function addTask(program: Command, world: World, exits: Exits): void {
  const task = program.command('task').description('Units of agent work, their scope and their pins');

  addOpen(task, world, exits);
  addList(task, world, exits);
  addShow(task, world, exits);
  addClose(task, world, exits);
}

function addOpen(task: Command, world: World, exits: Exits): void {
  const open = describe(task, 'open', {
    about: 'Open a task; it pins the versions that it may use until it closes',
    example:
      'sallyport task open --agent scribe --user ana --role analyst --purpose "summarise the notes" --scope filesystem:read',
  })
    .option('--agent <agent>', 'the agent that works')
    .option('--user <id>', 'the user on whose authority')
    .option('--role <role>', 'a role of the user (repeatable)', collect, [])
    .option('--attributes <json>', 'attributes of the user: JSON, @file or -')
    .option('--purpose <text>', 'what for')
    .option('--scope <scope>', 'capability[@version]:effect,… or the JSON of an entry (repeatable)', collect, [])
    .option('--approve <rule>', 'effect,…:grade: calls with these effects need an approval of client, user or other')
    .option('--ttl <seconds>', 'the longest life of the task (default: an hour)', positiveInteger)
    .option('--trace <traceId>', 'the W3C trace id that its evidence belongs to')
    .option('--file <file>', 'the whole request as JSON, instead of the options above (- reads stdin)');
  serviceAction<OpenOptions>(open, world, exits, 'host', async ({ call, options, show }) => {
    const body = options.file === undefined ? await requestOf(world, options) : await readObject(world, options.file);
    const answer = await call('POST', path('tasks'), body);
    show(answer, () => [
      ...table([
        ['task', at(answer, 'taskId')],
        ['trace', at(answer, 'traceId')],
        ['expires', at(answer, 'expiresAt')],
        ...list(answer, 'pins').map((pin) => [
          'pinned',
          `${at(pin, 'capability')}@${at(pin, 'version')} ${at(pin, 'definitionDigest')}`,
        ]),
        ...list(answer, 'unresolved').map((one) => ['unresolved', `${at(one, 'capability')}: ${at(one, 'reason')}`]),
      ]),
    ]);
  });
}

function addList(task: Command, world: World, exits: Exits): void {
  const tasks = describe(task, 'list', {
    about: 'List tasks of all hosts, the newest first',
    example: 'sallyport task list --status open --host build-agents',
  })
    .option('--status <status>', TaskStatus.options.join(', '))
    .option('--host <name>', 'of one host')
    .option('--limit <n>', 'the most to list (default: 50, up to 200)', positiveInteger);
  serviceAction<ListOptions>(tasks, world, exits, 'auditor', async ({ call, options, show }) => {
    const { status, host, limit } = options;
    const answer = await call('GET', path('audit', 'tasks') + query({ status, host, limit: limit?.toString() }));
    show(answer, () => {
      const rows = list(answer, 'items').map((one) =>
        isDamaged(one)
          ? ['', 'DAMAGED', at(one, 'taskId'), damageOf(one)]
          : [
              at(one, 'openedAt'),
              at(one, 'status'),
              at(one, 'taskId'),
              `${at(one, 'user', 'id')} by ${at(one, 'agent')} on ${at(one, 'host')}`,
              list(one, 'pins')
                .map((pin) => `${at(pin, 'capability')}@${at(pin, 'version')}`)
                .join(', '),
              `trace ${at(one, 'traceId')}`,
            ],
      );
      return rows.length === 0 ? ['no such task'] : [...table(rows), ...moreOf(answer)];
    });
  });
}

function addShow(task: Command, world: World, exits: Exits): void {
  const showTask = describe(task, 'show <taskId>', {
    about: 'Show a task',
    example: 'sallyport task show 0b9f3a52-7c55-4c1e-8a55-2f6a3a1b7f11',
  });
  serviceAction(showTask, world, exits, 'host', async ({ call, args, show }) => {
    const answer = await call('GET', path('tasks', args[0] ?? ''));
    show(answer, () =>
      table([
        ['task', `${at(answer, 'taskId')} (${at(answer, 'status')})`],
        ['trace', at(answer, 'traceId')],
        ['for', `${at(answer, 'user', 'id')} by ${at(answer, 'agent')} on ${at(answer, 'host')}`],
        ['purpose', at(answer, 'purpose')],
        ['expires', at(answer, 'expiresAt')],
        ...(at(answer, 'integrity') === 'tainted'
          ? [['tainted', `since ${at(answer, 'taintedAt')}: any effect other than read needs an approval`]]
          : []),
        ...list(answer, 'scope').map((entry) => ['scope', JSON.stringify(entry)]),
        ...list(answer, 'pins').map((pin) => [
          'pinned',
          `${at(pin, 'capability')}@${at(pin, 'version')} ${at(pin, 'definitionDigest')}`,
        ]),
      ]),
    );
  });
}

function addClose(task: Command, world: World, exits: Exits): void {
  const close = describe(task, 'close <taskId>', {
    about: 'Close a task: no call of it is allowed from now on',
    example: 'sallyport task close 0b9f3a52-7c55-4c1e-8a55-2f6a3a1b7f11 --reason "done"',
  }).option('--reason <text>', 'why');
  serviceAction<{ reason?: string }>(close, world, exits, 'host', async ({ call, args, options, show }) => {
    const body = options.reason === undefined ? {} : { reason: options.reason };
    const answer = await call('POST', path('tasks', args[0] ?? '', 'close'), body);
    show(answer, () => [printable(`closed ${args[0] ?? ''}`)]);
  });
}

async function requestOf(world: World, options: OpenOptions): Promise<JsonObject> {
  const { agent, user, purpose } = options;
  if (agent === undefined || user === undefined || purpose === undefined || options.scope.length === 0) {
    throw new UsageError('a task needs --agent, --user, --purpose and --scope (or --file)');
  }
  const attributes =
    options.attributes === undefined
      ? {}
      : { attributes: await objectOption(world, '--attributes', options.attributes) };
  return defined({
    agent,
    user: { id: user, roles: options.role, ...attributes },
    purpose,
    scope: options.scope.map(parseScope),
    approve: options.approve === undefined ? undefined : parseApprove(options.approve),
    ttlMs: options.ttl === undefined ? undefined : options.ttl * 1000,
    traceId: options.trace,
  });
}

/** `write,send:other`: which calls of a task need an approval, and whose. */
export function parseApprove(text: string): JsonObject {
  const [, words = '', by] = /^([^:]+):([^:]+)$/.exec(text) ?? [];
  const effects = words.split(',');
  if (!effects.every((effect) => Effect.safeParse(effect).success) || !ApprovalGrade.safeParse(by).success) {
    const [known, grades] = [Effect.options.join(', '), ApprovalGrade.options.join(', ')];
    throw new UsageError(`--approve needs effect,…:grade with effects out of ${known}, and a grade out of ${grades}`);
  }
  return { effects, by: by ?? '' };
}

/** `filesystem:read`, `filesystem@1.0.0:read,write`, or an entry's JSON, which can also name operations and a limit. */
export function parseScope(text: string): JsonObject {
  if (text.trimStart().startsWith('{')) {
    let entry: unknown;
    try {
      entry = JSON.parse(text);
    } catch {
      entry = undefined;
    }
    if (isJsonObject(entry)) return entry;
    throw new UsageError('--scope: the entry is no JSON object');
  }
  const [, capability, version, words] = /^([^@:]+)(?:@([^:]+))?:(.+)$/.exec(text) ?? [];
  const effects = words?.split(',') ?? [];
  if (capability === undefined || !effects.every((effect) => Effect.safeParse(effect).success)) {
    const known = Effect.options.join(', ');
    throw new UsageError(
      `--scope needs capability[@version]:effect,… with effects out of ${known}, or the JSON of an entry`,
    );
  }
  return defined({ capability, version, effects });
}
