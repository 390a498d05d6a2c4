import { Option, type Command } from 'commander';
import type { Json } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import { ApprovalStatus } from '../../../libs/vocabulary/words.js';
import { path, query, ServiceProblem } from '../client.js';
import { describe, serviceAction, type Exits } from '../command.js';
import { at, dig, joined, jsonLine, list, moreOf, printable } from '../print.js';
import type { World } from '../world.js';

interface ListOptions {
  readonly state: string;
  readonly task?: string;
  readonly capability?: string;
}

const MOST = 200;

/** Commands about approvals. */
export function addApproval(program: Command, world: World, exits: Exits): void {
  const all = describe(program, 'approvals', {
    about: 'List the calls that wait for an approval, with their content, or those that were decided; newest first',
    example: 'sallyport approvals\nsallyport approvals --state denied --capability mail',
  })
    .addOption(
      new Option('--state <state>', 'approvals in this state').choices(ApprovalStatus.options).default('pending'),
    )
    .option('--task <id>', 'only of this task')
    .option('--capability <id>', 'only of this capability');
  serviceAction<ListOptions>(all, world, exits, 'approver', async ({ call, options, show }) => {
    const { state, task, capability } = options;
    const answer = await call('GET', path('approvals') + query({ state, task, capability, limit: String(MOST) }));
    show(answer, () => {
      const lines = list(answer, 'items').flatMap(approvalLines);
      return lines.length === 0 ? [`no approval is ${state}`] : [...lines, ...moreOf(answer)];
    });
  });
  addVerdict(program, {
    world,
    exits,
    verb: 'approve',
    verdict: 'granted',
    about: 'Approve a call: exactly this one, once',
  });
  addVerdict(program, {
    world,
    exits,
    verb: 'deny',
    verdict: 'denied',
    about: 'Refuse a call until its approval expires',
  });
}

interface Verdict {
  readonly world: World;
  readonly exits: Exits;
  readonly verb: string;
  readonly verdict: 'granted' | 'denied';
  readonly about: string;
}

function addVerdict(program: Command, { world, exits, verb, verdict, about }: Verdict): void {
  const command = describe(program, `${verb} <id>`, {
    about,
    example: `sallyport ${verb} 7d1c8f0e-4a53-4d53-9d39-0e6b7e1f5a10 --reason "I asked for this letter"`,
  }).option('--reason <text>', 'why; it is part of the record');
  serviceAction<{ reason?: string }>(command, world, exits, 'approver', async ({ call, args, options, show }) => {
    const body = defined({ verdict, reason: options.reason });
    const answer = await call('POST', path('approvals', args[0] ?? '', 'decide'), body).catch(sayWho);
    show(answer, () => [printable(`${at(answer, 'state')} ${at(answer, 'id')}`)]);
  });
}

/** A caller that may not decide this approval needs a principal of another human, so it reads how to make one. */
function sayWho(error: unknown): never {
  if (!(error instanceof ServiceProblem) || error.code !== 'forbidden') throw error;
  const how = 'an admin makes one with `sallyport principal add NAME --role approver --user USER`';
  throw new ServiceProblem(error.status, error.code, `${error.message}; ${how}`, error.errors);
}

/** Who must approve, for a person. */
const WHO: Readonly<Record<string, string>> = {
  client: 'the client',
  user: 'the user of the task',
  other: "somebody else than the task's user",
};

/** Characters of one line. An approver needs all of a content, so a line that is cut says how to see the rest. */
const MAX_LINE = 4000;

/** Content comes from an agent, so a terminal gets it escaped and cut. */
function approvalLines(approval: Json): string[] {
  const decided = at(approval, 'decidedBy');
  const reason = at(approval, 'reason');
  const end =
    decided === '' ? `until ${at(approval, 'expiresAt')}` : `by ${decided}${reason === '' ? '' : `: ${reason}`}`;
  const rule = at(approval, 'rule');
  const task = at(approval, 'taskStatus');
  const lines = [
    `${at(approval, 'id')}  ${at(approval, 'state')} ${end}${task === 'open' ? '' : ` (its task is ${task})`}`,
    `  ${at(approval, 'capability')}@${at(approval, 'version')} ${at(approval, 'operation')} (${joined(approval, 'effects')})`,
    `  for ${at(approval, 'user')}, by ${at(approval, 'agent')} of ${at(approval, 'host')}`,
    `  needs ${WHO[at(approval, 'by')] ?? at(approval, 'by')}: ${joined(approval, 'why')}${rule === '' ? '' : ` (${rule})`}`,
    ...contentLines(approval),
  ];
  const isCut = lines.some((line) => line.length > MAX_LINE);
  return [...lines, ...(isCut ? ['  a line is cut: --json shows all of it'] : [])].map((line) =>
    printable(line, MAX_LINE),
  );
}

/** The content of the request, and the work of the filter on it. */
function contentLines(approval: Json): string[] {
  const args = dig(approval, 'arguments');
  if (args === undefined) return [];
  const denied = at(approval, 'outbound', 'denied');
  return [
    `  arguments ${jsonLine(args)}`,
    ...list(approval, 'context').map(itemLine),
    ...list(approval, 'outbound', 'redactions').map(
      (each) => `  the filter holds back ${at(each, 'path')}: ${at(each, 'type')}, ${times(at(each, 'count'))}`,
    ),
    ...list(approval, 'outbound', 'refusals').map(
      (each) => `  the filter leaves out ${at(each, 'path')}: ${at(each, 'reason')}`,
    ),
    ...(denied === '' ? [] : [`  the filter would deny the call: ${denied}`]),
  ];
}

const times = (count: string): string => (count === '1' ? 'once' : `${count} times`);

function itemLine(item: Json): string {
  const label = [at(item, 'level'), joined(item, 'categories')].filter((each) => each !== '').join(', ');
  const shown = label === '' ? 'without a label' : label;
  return `  context ${at(item, 'id')} from ${at(item, 'source')} (${shown}): ${at(item, 'content')}`;
}
