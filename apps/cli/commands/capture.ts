import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import type { JsonObject } from '../../../libs/kernel/canonical-json.js';
import { NAME_PATTERN, VERSION_PATTERN } from '../../../libs/kernel/ids.js';
import { Kind, Level } from '../../../libs/vocabulary/words.js';
import { PROTOCOLS, type Protocol } from '../capture/eras.js';
import type { LeftOut } from '../capture/operations.js';
import { openServer, type Observation, type OpenServer, type Target } from '../capture/observe.js';
import type { CaptureEvent } from '../capture/rpc.js';
import { hintsOf, leftOutLines, missingLines, summaryOf } from '../capture/report.js';
import { childEnvironment } from '../capture/stdio.js';
import { registrationOf, type Given, type Registration } from '../capture/registration.js';
import type { Provenance } from '../provenance/evidence.js';
import { findProvenance } from '../provenance/provenance.js';
import { collect, describe, positiveInteger, type Exits } from '../command.js';
import { jsonText, printable } from '../print.js';
import { EXIT, UsageError, type World } from '../world.js';

interface CaptureOptions extends Given {
  readonly url?: string;
  readonly bearerFile?: string;
  readonly protocol: Protocol;
  readonly clientCapability: readonly string[];
  readonly env: readonly string[];
  readonly timeout: number;
  readonly out?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

export function addCapture(program: Command, world: World, exits: Exits): void {
  describe(program, 'capture [command...]', {
    about:
      'Start an MCP server (or reach one with --url), read all that it declares, and print a registration.\n' +
      'Needs no service and no token. The server gets an allow-listed environment and is stopped afterwards.',
    example: [
      'sallyport capture --id filesystem --category files --out filesystem.json -- npx -y @modelcontextprotocol/server-filesystem /srv/docs',
      'sallyport capture --url https://mcp.example.com/mcp --owner team-search > search.json',
    ].join('\n'),
  })
    .option('--url <url>', 'a server that speaks streamable HTTP, instead of a command')
    .option('--bearer-file <file>', 'a file with the token for the server at --url; it is never printed')
    .option('--id <id>', 'capability id (default: from the package or server name)')
    .addOption(new Option('--kind <kind>', 'the kind of the capability').choices(Kind.options).default('mcp-server'))
    .option('--category <category>', 'category, for policies and disables', 'uncategorized')
    .option('--owner <owner>', 'the responsible person or team (default: your user name)')
    .option('--version <version>', "version (default: the package's, or the server's claim)")
    .addOption(
      new Option('--sensitivity <level>', 'the highest sensitivity that it may receive')
        .choices(Level.options)
        .default('confidential'),
    )
    .option('--credential-scope <scope>', 'scope of the credential, if the definition depends on it')
    .option(
      '--client-capability <name>',
      'declare a client capability: sampling, elicitation or roots (repeatable)',
      collect,
      [],
    )
    .addOption(new Option('--protocol <revision>', 'MCP revision to speak').choices(PROTOCOLS).default('auto'))
    .option('--env <NAME[=value]>', "add a variable to the server's environment (repeatable)", collect, [])
    .option('--timeout <seconds>', 'for the whole capture', positiveInteger, 30)
    .option('--out <file>', 'write the registration to a file')
    .option('--json', 'print only JSON on stdout; stderr names only the operations that the manifest leaves out')
    .option('--verbose', "show the server's stderr and protocol errors as they arrive")
    .action(async (command: string[], options: CaptureOptions) => {
      exits.code = await capture(world, command, options);
    });
}

async function capture(world: World, command: readonly string[], options: CaptureOptions): Promise<number> {
  checkNames(options);
  const target = targetOf(world, command, options);
  const onEvent = ({ kind, text }: CaptureEvent): void => {
    if (options.verbose === true) world.err(`  ${kind}: ${printable(text, 2000)}\n`);
  };
  const { observation, registration, found, leftOut } = await captureTarget(world, target, options, onEvent);
  const body = `${jsonText(registration)}\n`;
  // Also with --json: an operation that cannot be called must not pass unseen.
  world.err(lines([...leftOutLines(leftOut), ...missingLines(observation)]));
  if (options.out === undefined) {
    world.out(body);
    if (options.json !== true)
      world.err(lines([...summaryOf(observation, registration), ...hintsOf(target, found, registration)]));
    return EXIT.done;
  }
  try {
    writeFileSync(resolve(world.cwd, options.out), body);
  } catch (error) {
    throw new UsageError(`cannot write ${options.out}: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
  }
  if (options.json === true) {
    const { id, version } = registration;
    const { digest: definitionDigest, fields } = observation.fingerprint;
    const { version: name, probe } = version;
    world.out(`${jsonText({ out: options.out, id, version: name, definitionDigest, fields, probe, leftOut })}\n`);
  } else {
    world.out(lines([...summaryOf(observation, registration), `written to          ${options.out}`]));
    world.err(lines(hintsOf(target, found, registration)));
  }
  return EXIT.done;
}

export interface Captured {
  readonly observation: Observation;
  readonly registration: Registration;
  readonly found: Provenance | undefined;
  readonly leftOut: readonly LeftOut[];
}

/** Captures a server, and always stops it. */
export async function captureTarget(
  world: World,
  target: Target,
  options: Given & {
    readonly protocol: Protocol;
    readonly clientCapability: readonly string[];
    readonly timeout: number;
  },
  onEvent: (event: CaptureEvent) => void = () => undefined,
): Promise<Captured> {
  const clientCapabilities: JsonObject = Object.fromEntries(options.clientCapability.map((name) => [name, {}]));
  const { protocol } = options;
  const server = await openServer(target, {
    protocol,
    clientCapabilities,
    timeoutMs: options.timeout * 1000,
    onEvent,
  });
  try {
    // This runs before the server stops, because its processes show the program that a launcher such as npx has
    // started.
    const found = await provenanceOf(world, target, server);
    return { observation: server.observation, found, ...registrationOf(target, server.observation, found, options) };
  } finally {
    await server.close();
  }
}

/** The evidence of a started server's identity, in the environment that it received. */
async function provenanceOf(world: World, target: Target, server: OpenServer): Promise<Provenance | undefined> {
  if ('url' in target) return undefined;
  const place = { cwd: world.cwd, env: childEnvironment(process.env, target.env) };
  return findProvenance(target.command, place, server.processes());
}

function targetOf(world: World, command: readonly string[], options: CaptureOptions): Target {
  if (options.url === undefined) {
    if (command.length === 0) throw new UsageError('give a command after --, or --url');
    return { command, env: options.env };
  }
  if (command.length > 0) throw new UsageError('give a command or --url, not both');
  const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw new UsageError('--url needs an http or https URL');
  if (url.username !== '' || url.password !== '') throw new UsageError('--url must not hold a user or a password');
  return { url, bearer: options.bearerFile === undefined ? undefined : bearerIn(world, options.bearerFile) };
}

function bearerIn(world: World, file: string): string {
  try {
    const token = readFileSync(resolve(world.cwd, file), 'utf8').trim();
    if (/^[\x21-\x7e]+$/.test(token)) return token;
  } catch {
    throw new UsageError(`cannot read ${file}`);
  }
  throw new UsageError('--bearer-file needs a file with the token in one line');
}

function checkNames(options: CaptureOptions): void {
  if (options.id !== undefined && !NAME_PATTERN.test(options.id)) {
    throw new UsageError('--id needs lower-case letters, digits, ".", "_" or "-"');
  }
  if (!NAME_PATTERN.test(options.category)) {
    throw new UsageError('--category needs lower-case letters, digits, ".", "_" or "-"');
  }
  if (options.version !== undefined && !VERSION_PATTERN.test(options.version)) {
    throw new UsageError('--version needs 1 to 64 letters, digits, ".", "+", "_" or "-"');
  }
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('');
}
