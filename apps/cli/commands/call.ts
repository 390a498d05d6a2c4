import { randomUUID } from 'node:crypto';
import { Option, type Command } from 'commander';
import { Definition } from '../../../libs/capability/definition.js';
import { isJsonObject, ownValue, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import { fingerprintDefinition } from '../../../libs/kernel/definition-digest.js';
import { Effect } from '../../../libs/vocabulary/words.js';
import { path } from '../client.js';
import { describe, listOption, objectOption, readObject, serviceAction, type Exits } from '../command.js';
import { decisionLines, verdictLines } from '../call-text.js';
import { at, dig, printable } from '../print.js';
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
    show(answer, () => decisionLines(answer, body, options.explain === true));
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
