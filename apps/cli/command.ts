import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { isJsonObject, type Json, type JsonObject } from '../../libs/kernel/canonical-json.js';
import { parseStrictJson } from '../../libs/kernel/strict-json.js';
import type { Role } from '../../libs/vocabulary/words.js';
import { createCall, type Call, type ClientOptions } from './client.js';
import { serviceFor, type ConnectionOptions } from './connection.js';
import { jsonText } from './print.js';
import { EXIT, UsageError, type World } from './world.js';

/** The session of a command that speaks to the service. */
export interface Session<Options> {
  readonly world: World;
  readonly call: Call;
  readonly service: ClientOptions;
  /** Arguments by position. */
  readonly args: readonly string[];
  readonly options: Options & { readonly json?: boolean };
  /** Prints the answer: unchanged with `--json` or `asJson`, otherwise as lines for a person. */
  readonly show: (answer: unknown, lines: () => readonly string[], asJson?: boolean) => void;
}

/** The exit code of the run. A command that sets none exits with 0. */
export type Exits = { code: number };

export interface CommandText {
  readonly about: string;
  readonly example: string;
}

/** Adds a command with an example in its help. */
export function describe(parent: Command, usage: string, text: CommandText): Command {
  const command = parent
    .command(usage)
    .description(text.about)
    .summary(text.about.split('\n')[0] ?? '');
  return command.addHelpText('after', `\nExample:\n  ${text.example.split('\n').join('\n  ')}\n`);
}

/** Adds the options of a service call to a command, and runs it in a role. */
export function serviceAction<Options>(
  command: Command,
  world: World,
  exits: Exits,
  role: Role,
  run: (session: Session<Options>) => Promise<number | void>,
): Command {
  return command
    .option(
      '--server <url>',
      'the Sallyport service (default: SALLYPORT_URL, then SALLYPORT_HTTP, then http://127.0.0.1:7070)',
    )
    .option(
      '--token-file <file>',
      `a file with the token (default: SALLYPORT_TOKEN, then the ${role} token in tokens.json)`,
    )
    .addOption(new Option('--plain-http', 'allow http to another machine, in a closed network').hideHelp())
    .option('--json', 'print only JSON on stdout')
    .action(async (...all: unknown[]) => {
      const self = all.at(-1) as Command;
      const options = self.opts<Options & ConnectionOptions & { json?: boolean }>();
      const service = serviceFor(world, options, role);
      const session: Session<Options> = {
        world,
        call: createCall(service),
        service,
        args: self.args,
        options,
        show: (answer, lines, asJson) =>
          world.out(
            asJson === true || options.json === true
              ? `${jsonText(answer)}\n`
              : lines()
                  .map((line) => `${line}\n`)
                  .join(''),
          ),
      };
      exits.code = (await run(session)) ?? EXIT.done;
    });
}

/** For options that may be given several times. */
export const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError('needs a positive whole number');
  return Number(text);
}

const MAX_INPUT_BYTES = 16 * 1024 * 1024;
const MAX_DEPTH = 128;

/** The text of a file, or of stdin for `-`. */
export async function readInput(world: World, name: string): Promise<string> {
  if (name === '-') return world.readStdin(MAX_INPUT_BYTES);
  const file = resolve(world.cwd, name);
  try {
    if (statSync(file).size > MAX_INPUT_BYTES) throw new UsageError(`${name} holds over ${MAX_INPUT_BYTES} bytes`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot read ${name}: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
  }
}

/** JSON from a file, or stdin for `-`. */
export async function readJson(world: World, name: string): Promise<Json> {
  return valueIn(await readInput(world, name), name === '-' ? 'stdin' : name);
}

/**
 * A JSON object from a file, or stdin for `-`. Text that the service would misread (a duplicate key) is refused here.
 */
export async function readObject(world: World, name: string): Promise<JsonObject> {
  return objectIn(await readInput(world, name), name === '-' ? 'stdin' : name);
}

/** A JSON object from an option: the JSON itself, `@file`, or `-` for stdin. */
export async function objectOption(world: World, option: string, text: string): Promise<JsonObject> {
  if (text === '-') return objectIn(await readInput(world, '-'), 'stdin');
  return text.startsWith('@') ? readObject(world, text.slice(1)) : objectIn(text, option);
}

function objectIn(text: string, what: string): JsonObject {
  const value = valueIn(text, what);
  if (isJsonObject(value)) return value;
  throw new UsageError(`${what} needs a JSON object`);
}

/** A JSON list from an option, read as `objectOption` reads objects. */
export async function listOption(world: World, option: string, text: string): Promise<readonly Json[]> {
  const name = text === '-' ? text : text.startsWith('@') ? text.slice(1) : undefined;
  const value = valueIn(name === undefined ? text : await readInput(world, name), option);
  if (Array.isArray(value)) return value as readonly Json[];
  throw new UsageError(`${option} needs a JSON list`);
}

function valueIn(text: string, what: string): Json {
  const parsed = parseStrictJson(text, MAX_DEPTH);
  if (parsed.ok) return parsed.value;
  const { message, offset, path = '' } = parsed.error;
  if (offset === undefined) throw new UsageError(`${what}: ${message}`);
  const before = text.slice(0, offset).split('\n');
  const column = (before.at(-1) ?? '').length + 1;
  throw new UsageError(`${what}: ${message} (${path || '/'}, line ${before.length}, column ${column})`);
}
