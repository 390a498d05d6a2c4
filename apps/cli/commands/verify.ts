import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { MAX_BUNDLE_BYTES } from '../../../libs/contract/bundle-format.js';
import type { Witness } from '../../../libs/bundle/witnessed.js';
import type { Soundness, Verdict } from '../../../libs/bundle/verdict.js';
import { isJsonObject, type Json } from '../../../libs/kernel/canonical-json.js';
import { parseStrictJson } from '../../../libs/kernel/strict-json.js';
import { MAX_WITNESSED, witnessNames } from '../../../libs/seal/witness.js';
import { parseVerifier, type NoteVerifier } from '../../../libs/transparency/note.js';
import { collect, describe, type Exits } from '../command.js';
import { at, jsonText, list, printable, table } from '../print.js';
import { bundledTrace, showBundle } from '../report/bundle-report.js';
import { withFormat, type FormatOptions } from '../report/show.js';
import { EXIT, UsageError, type World } from '../world.js';

interface VerifyOptions extends FormatOptions {
  readonly key: readonly string[];
  readonly witness?: string;
  readonly consistency?: string;
  readonly json?: boolean;
  readonly report?: boolean;
  readonly denied?: boolean;
  readonly call?: string;
}

const EXITS: Readonly<Record<Soundness, number>> = {
  sound: EXIT.done,
  not_sound: EXIT.notIdentical,
  partly: EXIT.soundInPart,
};

/** Calls that are listed for a person. `--json` has all of them. */
const MAX_CALLS = 50;
const MAX_KEY_BYTES = 65_536;
const MAX_CHECKPOINT_BYTES = 8_192;
const MAX_DEPTH = 16;

/** `sallyport verify`: checks a bundle without a service, a network or a data folder. */
export function addVerify(program: Command, world: World, exits: Exits): void {
  const verify = describe(program, 'verify <bundle>', {
    about:
      'Verify a bundle of evidence offline, and decide its calls again. ' +
      `Exits with ${EXIT.notIdentical} if it is not sound, with ${EXIT.soundInPart} if it is sound as far as it goes, and with ${EXIT.notVerified} if it could not be verified`,
    example:
      'sallyport verify trace.json --key log-key.json\n' +
      'sallyport verify trace.json --key log-key.json --report --denied\n' +
      'sallyport verify trace.json --key log-key.json --report --format html > trace.html',
  })
    .option('--key <file|text>', 'a verifier key of the log, or a file with one; repeatable', collect, [])
    .option('--witness <folder>', 'a witness folder: the checkpoint has to be of the log that it saw')
    .option('--consistency <file>', 'with --witness: an answer of /v1/audit/consistency that leads to its checkpoints')
    .option('--report', 'print the report of `sallyport trace` from the bundle, if it has no fault')
    .option('--denied', 'with --report: only the calls that were denied')
    .option('--call <callId>', 'with --report: only one call')
    .option('--json', 'print only JSON on stdout');
  withFormat(verify).action(async (name: string, options: VerifyOptions) => {
    const { report = false, denied, call, format = 'text' } = options;
    if (!report && (denied === true || call !== undefined || format !== 'text'))
      throw new UsageError('--denied, --call and --format need --report');
    const { openBundle } = await import('../../../libs/bundle/verify.js');
    const keys = options.key.flatMap((text) => keysIn(world, text));
    const witness = witnessOf(world, options);
    const text = name === '-' ? await world.readStdin(MAX_BUNDLE_BYTES) : textOf(world, name, MAX_BUNDLE_BYTES);
    const { verdict, sound } = await openBundle(text, { keys, ...(witness === undefined ? {} : { witness }) });
    if (report && sound !== undefined) {
      const trace = await bundledTrace(sound, { denied, callId: call });
      showBundle(world, { verdict, trace, head: headOf(verdict) }, options);
    } else if (options.json === true || format === 'json') world.out(`${jsonText(verdict)}\n`);
    else world.out(linesOf(verdict).join('\n') + '\n');
    exits.code = EXITS[verdict.soundness];
  });
}

/** The words for the result of a decision that was made again. Any other result differs. */
const SAMENESS: ReadonlyMap<boolean | string, string> = new Map<boolean | string, string>([
  [true, 'same'],
  ['shredded', 'same without its content'],
  ['key_missing', 'same without its content'],
  ['engine_gone', 'an engine is missing'],
]);

function textOf(world: World, name: string, maxBytes: number): string {
  const file = resolve(world.cwd, name);
  try {
    if (statSync(file).size > maxBytes) throw new UsageError(`${name} holds over ${maxBytes} bytes`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot read ${name}: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
  }
}

/**
 * The keys of `--key`: one as text, or a file with one on each line, or with the answer of `/.well-known/sallyport-log`.
 */
function keysIn(world: World, option: string): NoteVerifier[] {
  const verifier = parseVerifier(option);
  if (verifier !== undefined) return [verifier];
  const text = textOf(world, option, MAX_KEY_BYTES).trim();
  const found = text.startsWith('{') ? publishedKeys(text) : text.split(/\r?\n/);
  const keys = found.map((line) => parseVerifier(line.trim()));
  if (keys.length > 0 && keys.every((key) => key !== undefined)) return keys;
  throw new UsageError('--key needs a verifier key of the log (<name>+<id>+<key>), or a file with such keys');
}

/** The checkpoints of `--witness`, and the proof of `--consistency`. Throws `UsageError` if one cannot be read. */
function witnessOf(world: World, { witness: folder, consistency: file }: VerifyOptions): Witness | undefined {
  if (folder === undefined) {
    if (file !== undefined) throw new UsageError('--consistency needs --witness');
    return undefined;
  }
  const notes = namesIn(world, folder).map((name) => {
    return { name, note: textOf(world, join(folder, name), MAX_CHECKPOINT_BYTES) };
  });
  return file === undefined ? { notes } : { notes, consistency: hashesIn(textOf(world, file, MAX_KEY_BYTES)) };
}

function namesIn(world: World, folder: string): string[] {
  try {
    // The newest ones: a witness of Sallyport keeps as many.
    const names = witnessNames(resolve(world.cwd, folder)).slice(-MAX_WITNESSED);
    if (names.length > 0) return names;
  } catch (error) {
    throw new UsageError(`cannot read ${folder}: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
  }
  throw new UsageError(`${folder} has no checkpoints`);
}

function hashesIn(text: string): string[] {
  const parsed = parseStrictJson(text, MAX_DEPTH);
  const hashes = parsed.ok && isJsonObject(parsed.value) ? parsed.value['hashes'] : undefined;
  if (Array.isArray(hashes) && hashes.every((hash) => typeof hash === 'string')) return hashes;
  throw new UsageError('--consistency needs an answer of /v1/audit/consistency');
}

function publishedKeys(text: string): string[] {
  const parsed = parseStrictJson(text, MAX_DEPTH);
  const value: Json = parsed.ok ? parsed.value : {};
  return isJsonObject(value) ? list(value, 'keys').map((key) => publishedKey(value, key)) : [];
}

/** A key of `/.well-known/sallyport-log` as a verifier key. */
function publishedKey(log: Json, key: Json): string {
  const raw = Buffer.from(at(key, 'publicKey'), 'base64');
  return `${at(log, 'origin')}+${at(key, 'id')}+${Buffer.concat([ED25519, raw]).toString('base64')}`;
}

/** The byte that names the algorithm of a verifier key. */
const ED25519 = Buffer.of(0x01);

function linesOf(verdict: Verdict): string[] {
  const { faults, gaps, limits, checked, calls } = verdict;
  const shown = calls.slice(0, MAX_CALLS).map(({ callId, attempt, decision, reason, identical }) => {
    return [`  ${SAMENESS.get(identical) ?? 'DIFFERS'}`, callId, `attempt ${attempt}`, `${decision} ${reason}`];
  });
  const more = calls.length > MAX_CALLS ? [`  … and ${calls.length - MAX_CALLS} more; --json has all`] : [];
  return [
    printable(headOf(verdict), 600),
    ...faults.slice(1).map(({ where, what }) => printable(`  also: ${where}: ${what}`, 600)),
    ...gaps.map((gap) => printable(`  not shown: ${gap}`, 600)),
    ...checked.map((text) => printable(`  checked: ${text}`, 600)),
    ...(faults.length > 0 ? [] : limits.map((text) => printable(`  open question: ${text}`, 600))),
    ...table(shown),
    ...more,
  ];
}

function headOf({ soundness, traceId = '', faults, calls }: Verdict): string {
  const [first] = faults;
  if (first !== undefined) return `NOT SOUND: ${first.where}: ${first.what}`;
  const what = `trace ${traceId} with ${calls.length} ${calls.length === 1 ? 'call' : 'calls'}`;
  return soundness === 'sound' ? `SOUND: ${what}` : `SOUND AS FAR AS IT GOES: ${what}`;
}
