import { Command, CommanderError } from 'commander';
import { CannotVerify } from '../../libs/bundle/verdict.js';
import { defined } from '../../libs/kernel/defined.js';
import { VERSION } from '../../libs/kernel/version.js';
import { CaptureFailure } from './capture/failure.js';
import { ServiceProblem, ServiceUnreachable } from './client.js';
import type { Exits } from './command.js';
import { addApproval } from './commands/approval.js';
import { addAudit } from './commands/audit.js';
import { addBackup } from './commands/backup.js';
import { addCall } from './commands/call.js';
import { addCapture } from './commands/capture.js';
import { addClock } from './commands/clock.js';
import { addDirective } from './commands/directive.js';
import { addEvents } from './commands/events.js';
import { addExceptions } from './commands/exceptions.js';
import { addPolicy } from './commands/policy.js';
import { addPrincipal } from './commands/principal.js';
import { addPublisher } from './commands/publisher.js';
import { addSign } from './commands/sign.js';
import { addRegistry } from './commands/registry.js';
import { addResponses } from './commands/responses.js';
import { addSample } from './commands/sample.js';
import { addRetention } from './commands/retention.js';
import { addServe } from './commands/serve.js';
import { addSiem } from './commands/siem.js';
import { addStats } from './commands/stats.js';
import { addTask } from './commands/task.js';
import { addVerify } from './commands/verify.js';
import { printable } from './print.js';
import { EXIT, UsageError, type World } from './world.js';

const EPILOGUE = `
First steps. Each command uses the token of the role that it needs:
  sallyport capture --id filesystem --out fs.json -- npx -y @modelcontextprotocol/server-filesystem /srv/docs
  sallyport register fs.json
  sallyport review filesystem <version> --approve --reason "…" --exception signature_missing

Connection:
  --server, or SALLYPORT_URL         the service (http://127.0.0.1:7070); capture's --url is the MCP server's address
  SALLYPORT_HTTP                     without those, the address that a service with these settings listens on
  --token-file, or SALLYPORT_TOKEN   the caller's token; never an argument
  SALLYPORT_DATA                     without those, the role's token in $SALLYPORT_DATA/tokens.json (./data), if the service
                                     is on this machine

Exit codes:
  0  done, or allowed
  1  a replay is not identical, a bundle is not sound, or an unexpected error occurred
  2  wrong usage
  3  the service cannot be reached, or cannot answer now
  4  the service refused the request
  5  a call was denied, or a response was not accepted
  6  a server could not be captured
  7  a disable was not effective everywhere within --target-ms; it is in force
  8  a disable matches nothing now; it is in force (--ahead says that this is intended); or a bundle is sound as far as it
     goes: something in it was erased or left out, or needs a key that was not given
  9  the service does not know whether it carried the command out: send the same command again
  10 a policy file has errors, or a case of a policy test failed
  11 no decision of a replay differs, but the service lacks an engine (decider or Cedar version) that some were made with
  12 a bundle could not be verified: the program failed, which says nothing about the bundle
`;

/** The next step for each problem code. */
const NEXT: Readonly<Record<string, string>> = {
  malformed_request: 'correct the fields and send it again',
  unauthenticated: 'the service does not know the token: was it rotated, or is it for another service?',
  forbidden: 'another principal may do this: give its token with --token-file',
  self_review: 'another principal has to do this: the one that proposed or suspended it may not',
  beyond_ceiling: 'the host may not name that agent, user role or capability: an admin sets its ceilings',
  not_found: 'check the id; objects of another host are not found either',
  method_not_allowed: 'the service is of another version: update the command line',
  revision_conflict: 'another command was faster: look again, then decide again',
  already_exists: 'the id exists already with other content: choose another id, or `propose` a new version',
  call_conflict: 'a call id is for one call: use a new one',
  call_finished: 'the call has its response already: ask for another call with a new id',
  ack_refused: 'the host and the service have different states: the host has to fetch the snapshot',
  exception_required:
    'read what each means with `sallyport review --help`, then name it with --exception, or reject the version',
  invalid_transition: 'its state does not permit this: look at it first',
  too_large: 'the request exceeds a limit of the service: send less',
  overloaded: 'wait a moment and try again',
  log_unavailable: 'nothing was recorded, and nothing will be: look at the log of the service, then send it again',
  evidence_damaged:
    'the record was changed or lost there: keep the data folder as it is, and look at the other evidence',
  outcome_unknown:
    'The command was carried out, or it was not. Send the same command again. It answers what is recorded, or it is\n' +
    '  carried out now. `invalid_transition` or `not_found` then says that it was carried out before. Only a disable, a\n' +
    '  suspension and a revocation may still be carried out without a repeat.',
  view_stale: 'the service has not read its newest events yet: try again',
};

/** Runs one command line (without node and script). Resolves to the exit code. Never throws. */
export async function run(argv: readonly string[], world: World): Promise<number> {
  const exits: Exits = { code: EXIT.done };
  const json = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : undefined).includes('--json');
  try {
    await buildProgram(world, exits).parseAsync([...argv], { from: 'user' });
    return exits.code;
  } catch (error) {
    return explain(error, world, json);
  }
}

/** The whole command line. Its texts go to `world`; the exit code of the command that runs goes to `exits`. */
export function buildProgram(world: World, exits: Exits): Command {
  const program = new Command('sallyport')
    .description(
      'A guarded passage between agents and their capabilities: register, review, authorize, disable, prove.',
    )
    .version(VERSION, '-V, --version')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: world.out,
      writeErr: world.err,
      getOutHelpWidth: () => world.columns ?? 80,
      outputError: (text) => world.err(printable(text.trim()) + '\n'),
    })
    .configureHelp({ showGlobalOptions: false })
    .addHelpText('after', EPILOGUE);
  addServe(program, world, exits);
  addBackup(program, world, exits);
  addCapture(program, world, exits);
  addRegistry(program, world, exits);
  addExceptions(program, world, exits);
  addPublisher(program, world, exits);
  addSign(program, world, exits);
  addPolicy(program, world, exits);
  addTask(program, world, exits);
  addResponses(program, world, exits);
  addCall(program, world, exits);
  addDirective(program, world, exits);
  addClock(program, world, exits);
  addApproval(program, world, exits);
  addAudit(program, world, exits);
  addSample(program, world, exits);
  addVerify(program, world, exits);
  addRetention(program, world, exits);
  addStats(program, world, exits);
  addPrincipal(program, world, exits);
  addEvents(program, world, exits);
  addSiem(program, world, exits);
  return program;
}

/**
 * Writes one line on stderr, or two if there is a next step. With `--json` it also writes the problem as JSON on
 * stdout.
 */
function explain(error: unknown, world: World, json: boolean): number {
  const say = (text: string): void => world.err(`sallyport: ${printable(text, 1_000)}\n`);
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof UsageError) {
    say(error.message);
    return EXIT.usage;
  }
  if (error instanceof CaptureFailure) {
    say(error.message);
    for (const line of error.said) world.err(`  stderr: ${printable(line)}\n`);
    return error.kind === 'usage' ? EXIT.usage : EXIT.captureFailed;
  }
  if (error instanceof ServiceUnreachable) {
    say(`${error.message}. ${error.next}`);
    return EXIT.unavailable;
  }
  if (error instanceof ServiceProblem) {
    const { status, code, errors, needed } = error;
    if (json)
      world.out(
        `${JSON.stringify(defined({ status, code, detail: error.message, errors, needed: needed.length === 0 ? undefined : needed }), undefined, 2)}\n`,
      );
    say(`${code}: ${error.message}`);
    for (const field of errors.slice(0, 20))
      world.err(printable(`  ${field.path || '(request)'}: ${field.message}`) + '\n');
    for (const exception of needed) world.err(printable(`  needs --exception ${exception}`, 600) + '\n');
    const next = Object.hasOwn(NEXT, code) ? NEXT[code] : undefined;
    if (next !== undefined) world.err(`  ${next}\n`);
    if (code === 'outcome_unknown') return EXIT.outcomeUnknown;
    return status === 503 || status === 429 ? EXIT.unavailable : EXIT.refused;
  }
  if (error instanceof CannotVerify) {
    say(`the bundle could not be verified: ${error.message}`);
    return EXIT.notVerified;
  }
  say(`unexpected: ${error instanceof Error ? error.message : 'unknown error'}`);
  return EXIT.notIdentical;
}
