import { randomUUID } from 'node:crypto';
import { Option, type Command } from 'commander';
import { Definition } from '../../../libs/capability/definition.js';
import { isJsonObject, ownValue, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import { fingerprintDefinition } from '../../../libs/kernel/definition-digest.js';
import { Effect } from '../../../libs/vocabulary/words.js';
import { path } from '../client.js';
import { describe, listOption, objectOption, readObject, serviceAction, type Exits } from '../command.js';
import { at, dig, joined, list, printable, visible } from '../print.js';
import { checkLines } from '../check-text.js';
import { EXIT, UsageError, type World } from '../world.js';

interface AuthorizeOptions {
  readonly file?: string;
  readonly task?: string;
  readonly capability?: string;
  readonly operation?: string;
  readonly arguments: string;
  readonly context?: string;
  readonly labels?: string;
  readonly approval?: boolean;
  readonly observed?: string;
  readonly submitDefinition?: boolean;
  readonly call?: string;
  readonly explain?: boolean;
}

/** Commands about calls: what a host asks before, and tells after, each one. */
export function addCall(program: Command, world: World, exits: Exits): void {
  addAuthorize(program, world, exits);
  addRespond(program, world, exits);
  addOutcome(program, world, exits);
}

function addAuthorize(program: Command, world: World, exits: Exits): void {
  const authorize = describe(program, 'authorize', {
    about: `Ask for a decision on a call; exits with ${EXIT.denied} if it is denied`,
    example:
      'sallyport capture -- npx -y @modelcontextprotocol/server-filesystem /srv/docs > seen.json\n' +
      `sallyport authorize --task <id> --capability filesystem --operation read_text_file --arguments '{"path":"/srv/docs/a.txt"}' --observed seen.json`,
  })
    .option('--task <taskId>', 'the task that the call belongs to')
    .option('--capability <id>', 'the capability')
    .option('--operation <name>', 'the operation: a tool, prompt:x, template:x, resource:x, $connect')
    .option('--arguments <json>', 'the arguments: JSON, @file or -', '{}')
    .option('--context <json>', 'context items to send along: a JSON list, @file or -')
    .option('--labels <json>', 'labels of arguments: a JSON list of { path, level, categories, source }, @file or -')
    .option(
      '--approval',
      'the word of this client that a person approved the call now; it suffices for the grade client',
    )
    .option('--observed <file>', 'a fresh capture of the running server')
    .option('--submit-definition', 'send the observed definition itself, not only its digest')
    .option('--call <callId>', 'the id of the call (default: a new one)')
    .option('--explain', 'show the evidence of every check')
    .option('--file <file>', 'the whole request as JSON, instead of the options above (- reads stdin)');
  serviceAction<AuthorizeOptions>(authorize, world, exits, 'host', async ({ call, options, show }) => {
    const body = options.file === undefined ? await requestOf(world, options) : await readObject(world, options.file);
    const answer = await call('POST', path('calls', 'authorize'), body);
    show(answer, () => decisionLines(answer, options.explain === true));
    return at(answer, 'decision') === 'allow' ? EXIT.done : EXIT.denied;
  });
}

interface RespondOptions {
  readonly task: string;
  readonly result?: string;
  readonly error?: string;
}

function addRespond(program: Command, world: World, exits: Exits): void {
  const respond = describe(program, 'respond <callId>', {
    about: `Hand in a server response and print the envelope for the agent; exits with ${EXIT.denied} if it is not accepted`,
    example: 'sallyport respond <callId> --task <taskId> --result @result.json',
  })
    .requiredOption('--task <taskId>', 'the task that the call belongs to')
    .option('--result <json>', "the server's result: JSON, @file or -")
    .option('--error <json>', "the server's error instead: JSON, @file or -");
  serviceAction<RespondOptions>(respond, world, exits, 'host', async ({ call, args, options, show }) => {
    const { result, error } = options;
    if ((result === undefined) === (error === undefined)) throw new UsageError('give --result or --error');
    const answer = await call(
      'POST',
      path('calls', args[0] ?? '', 'response'),
      defined({
        taskId: options.task,
        result: result === undefined ? undefined : await objectOption(world, '--result', result),
        error: error === undefined ? undefined : await objectOption(world, '--error', error),
      }),
    );
    show(answer, () => verdictLines(answer));
    return at(answer, 'verdict') === 'accepted' ? EXIT.done : EXIT.denied;
  });
}

interface OutcomeOptions {
  readonly task: string;
  readonly status: string;
  readonly effect?: string;
  readonly summary?: string;
  readonly reference?: string;
}

function addOutcome(program: Command, world: World, exits: Exits): void {
  const outcome = describe(program, 'outcome <callId>', {
    about: 'Record the outcome of a call',
    example: 'sallyport outcome <callId> --task <taskId> --status succeeded --effect read --summary "one file read"',
  })
    .requiredOption('--task <taskId>', 'the task that the call belongs to')
    .addOption(
      new Option('--status <status>', 'how it ended').choices(['succeeded', 'failed', 'unknown']).makeOptionMandatory(),
    )
    .addOption(new Option('--effect <effect>', 'what it did').choices(Effect.options))
    .option('--summary <text>', 'the effect in words')
    .option('--reference <text>', 'where the effect can be seen');
  serviceAction<OutcomeOptions>(outcome, world, exits, 'host', async ({ call, args, options, show }) => {
    const { effect: type, summary, reference } = options;
    if (type === undefined && (summary ?? reference) !== undefined)
      throw new UsageError('--summary and --reference need --effect');
    const details = defined({ summary, reference });
    const answer = await call(
      'POST',
      path('calls', args[0] ?? '', 'outcome'),
      defined({
        taskId: options.task,
        status: options.status,
        effect: type === undefined ? undefined : { type, ...details },
      }),
    );
    show(answer, () => [printable(`recorded: ${options.status}`)]);
  });
}

async function requestOf(world: World, options: AuthorizeOptions): Promise<JsonObject> {
  const { task, capability, operation, context, labels } = options;
  if (task === undefined || capability === undefined || operation === undefined) {
    throw new UsageError('a call needs --task, --capability and --operation (or --file)');
  }
  const seen = options.observed === undefined ? undefined : await readObject(world, options.observed);
  return defined({
    callId: options.call ?? randomUUID(),
    taskId: task,
    capability,
    operation,
    arguments: await objectOption(world, '--arguments', options.arguments),
    context: context === undefined ? undefined : await listOption(world, '--context', context),
    labels: labels === undefined ? undefined : await listOption(world, '--labels', labels),
    approval: options.approval === true ? { grade: 'client', at: new Date().toISOString() } : undefined,
    explain: options.explain === true ? true : undefined,
    observed: seen === undefined ? { server: { method: 'none' } } : observedIn(seen, options.submitDefinition === true),
  });
}

/** The observation of a host, from a registration that was captured from the running server. */
export function observedIn(captured: JsonObject, withDefinition: boolean): JsonObject {
  const inner = ownValue(captured, 'version');
  const proposal = isJsonObject(inner) ? inner : captured;
  const definition = Definition.safeParse(ownValue(proposal, 'definition'));
  const server = dig(proposal, 'manifest', 'server');
  if (!definition.success || !isJsonObject(server))
    throw new UsageError('--observed needs a file that `capture` wrote');
  const fingerprint = fingerprintDefinition(definition.data);
  if (!fingerprint.ok) throw new UsageError(`--observed: ${fingerprint.error.path} ${fingerprint.error.message}`);
  const probe = ownValue(proposal, 'probe');
  return defined({
    definitionDigest: fingerprint.value.digest,
    definition: withDefinition ? (definition.data as JsonObject) : undefined,
    probe: isJsonObject(probe) ? probe : undefined,
    server,
  });
}

function decisionLines(answer: JsonObject, explain: boolean): string[] {
  const what = `${at(answer, 'capability')}/${at(answer, 'operation')}`;
  const call = `call ${at(answer, 'callId')}`;
  if (at(answer, 'decision') === 'allow') {
    const rule = at(answer, 'rule');
    return [
      printable(`ALLOW ${what} until ${at(answer, 'expiresAt')}${rule === '' ? '' : ` by ${rule}`} (${call})`),
      printable(`may be sent: ${JSON.stringify(dig(answer, 'outbound', 'arguments') ?? {})}`, 2000),
      ...list(answer, 'outbound', 'refusals').map((one) =>
        printable(`withheld: ${at(one, 'path')} ${at(one, 'reason')}`),
      ),
      ...approvalLines(answer),
      ...(explain ? checkLines(answer) : []),
    ];
  }
  const obligations = joined(answer, 'obligations');
  return [
    printable(`DENY  ${what}: ${at(answer, 'reason')} (${call})`),
    ...(obligations === '' ? [] : [printable(`the service asks for: ${obligations}`)]),
    ...approvalLines(answer),
    ...errorLines(answer),
    ...checkLines(answer).slice(explain ? 0 : -1),
  ];
}

/** The approval that a call waits for or rests on, and the next step of the host. */
function approvalLines(answer: JsonObject): string[] {
  const approval = dig(answer, 'approval');
  if (approval === undefined) return [];
  const [id, state, by] = [at(approval, 'id'), at(approval, 'state'), at(approval, 'by')];
  const why = joined(approval, 'why');
  const line = printable(`approval ${id}: ${state}, by ${by} (${why}), until ${at(approval, 'expiresAt')}`);
  if (state !== 'pending') return [line];
  const next =
    by === 'client'
      ? 'next: ask the person at this client, then authorize again with --approval'
      : `next: sallyport approve ${id} as ${by === 'user' ? 'the user of the task' : 'somebody else than the user'}, then authorize again`;
  return [line, printable(next)];
}

/** The wrong arguments and the schema keyword of each, from the evidence of the failed check. */
function errorLines(answer: JsonObject): string[] {
  const errors = list(list(answer, 'checks').at(-1), 'evidence', 'errors');
  return errors.map((error) => printable(`  ${at(error, 'path') || '(all arguments)'}: ${at(error, 'keyword')}`));
}

function verdictLines(answer: JsonObject): string[] {
  const parts = list(answer, 'content', 'parts');
  return [
    printable(`${at(answer, 'verdict')} ${at(answer, 'rawDigest')}`),
    ...list(answer, 'findings').map((one) => {
      // A finding about the whole response, such as that it came too late, has no path.
      const where = at(one, 'path') === '' ? '' : ` at ${at(one, 'path')}`;
      return printable(`finding: ${at(one, 'severity')} ${at(one, 'kind')}${where}`);
    }),
    ...parts.flatMap((part) =>
      at(part, 'type') === 'text'
        ? at(part, 'text')
            .split('\n')
            .map((line) => visible(line, 2000))
        : [printable(`[${at(part, 'type')}] ${JSON.stringify(dig(part, 'value') ?? at(part, 'digest'))}`, 2000)],
    ),
  ];
}
