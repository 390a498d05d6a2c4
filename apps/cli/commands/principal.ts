import { Option, type Command } from 'commander';
import type { Json } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import { Role } from '../../../libs/vocabulary/words.js';
import { everyPage, path } from '../client.js';
import { collect, describe, serviceAction, type Exits } from '../command.js';
import { at, dig, joined, jsonLine, list, printable, table } from '../print.js';
import { UsageError, type World } from '../world.js';

interface AddOptions {
  readonly role: readonly string[];
  readonly agent: readonly string[];
  readonly userRole: readonly string[];
  readonly capability: readonly string[];
  readonly mayStop?: boolean;
  readonly user?: string;
}

/** Commands about principals. Only these ever print a token, and each prints it once. */
export function addPrincipal(program: Command, world: World, exits: Exits): void {
  const principal = program.command('principal').description('Principals: the callers of the service');

  const add = describe(principal, 'add <name>', {
    about: 'Add a principal; its token is printed once and stored nowhere',
    example: 'sallyport principal add build-agents --role host --agent builder --capability filesystem',
  })
    .option('--role <role>', `${Role.options.join(', ')} (repeatable)`, collect, [])
    .option('--agent <agent>', 'ceiling of a host: only these agents (repeatable)', collect, [])
    .option('--user-role <role>', 'ceiling of a host: only these roles of users (repeatable)', collect, [])
    .option('--capability <id>', 'ceiling of a host: only these capabilities (repeatable)', collect, [])
    .option('--user <id>', 'whose human this is: approvals count as the word of this user')
    .option('--may-stop', 'a drift that this host reports suspends the version for all hosts');
  serviceAction<AddOptions>(add, world, exits, 'admin', async ({ call, args, options, show }) => {
    if (options.role.length === 0) throw new UsageError('a principal needs a --role');
    for (const role of options.role) {
      if (!Role.safeParse(role).success) throw new UsageError(`--role: ${role} is none of ${Role.options.join(', ')}`);
    }
    const host = defined({
      agents: options.agent.length === 0 ? undefined : options.agent,
      userRoles: options.userRole.length === 0 ? undefined : options.userRole,
      capabilities: options.capability.length === 0 ? undefined : options.capability,
      mayStop: options.mayStop === true ? true : undefined,
    });
    const answer = await call(
      'POST',
      path('principals'),
      defined({
        name: args[0] ?? '',
        roles: options.role,
        host: Object.keys(host).length === 0 ? undefined : host,
        user: options.user,
      }),
    );
    const name = args[0] ?? '';
    const token = at(answer, 'token');
    const isNew = token !== '';
    show(answer, () => [
      `${name}: ${options.role.join(', ')}. ${isNew ? 'The token, shown this once:' : 'It was added before, and its token is not shown again.'}`,
      isNew ? printable(token) : printable(`For a new token: sallyport principal rotate ${name}`),
    ]);
  });

  addList(principal, 'list', { world, exits, example: 'sallyport principal list --state all' });
  addList(program, 'principals', { world, exits, example: 'sallyport principals --state removed' });

  const rotate = describe(principal, 'rotate <name>', {
    about: 'Give a principal a new token, printed once; the old one is invalid at once',
    example: 'sallyport principal rotate build-agents',
  });
  serviceAction(rotate, world, exits, 'admin', async ({ call, args, show }) => {
    const answer = await call('POST', path('principals', args[0] ?? '', 'rotate'));
    show(answer, () => ['The new token, shown this once:', printable(at(answer, 'token'))]);
  });

  const remove = describe(principal, 'remove <name>', {
    about: 'Remove a principal; its token is invalid at once, also for requests in flight',
    example: 'sallyport principal remove build-agents',
  });
  serviceAction(remove, world, exits, 'admin', async ({ call, args, show }) => {
    const answer = await call('DELETE', path('principals', args[0] ?? ''));
    show(answer, () => [`removed ${args[0] ?? ''}`]);
  });
}

interface ListOptions {
  readonly state?: string;
}

/** The list has two names: `principal list` as in `task list`, and `principals` as in `capabilities`. */
function addList(
  parent: Command,
  name: string,
  { world, exits, example }: { readonly world: World; readonly exits: Exits; readonly example: string },
): void {
  const all = describe(parent, name, {
    about: 'List the principals: roles, ceilings of hosts, and who added or removed them',
    example,
  }).addOption(
    new Option('--state <state>', 'the active ones, those that were removed, or all')
      .choices(['active', 'removed', 'all'])
      .default('active'),
  );
  serviceAction<ListOptions>(all, world, exits, 'admin', async ({ call, options, show }) => {
    const answer = await everyPage(call, path('principals'), { state: options.state });
    show(answer, () => {
      const rows = list(answer, 'items').map((one) => [
        at(one, 'name'),
        at(one, 'state'),
        joined(one, 'roles'),
        `${sinceText(one)}${userText(one)}${jsonLine(dig(one, 'host'))}`,
      ]);
      return rows.length === 0 ? ['no such principal'] : table(rows);
    });
  });
}

const userText = (principal: Json): string => {
  const user = at(principal, 'user');
  return user === '' ? '' : `user ${user}  `;
};

function sinceText(principal: Json): string {
  const told = (verb: string, name: string): string => {
    const when = at(principal, `${name}At`);
    return when === '' ? '' : `${verb} ${when} by ${at(principal, `${name}By`)}  `;
  };
  return told('added', 'added') + told('new token', 'tokenRotated') + told('removed', 'removed');
}
