import type { Command } from 'commander';
import type { Json, JsonObject } from '../../../libs/kernel/canonical-json.js';
import { path } from '../client.js';
import { describe, serviceAction, type Exits } from '../command.js';
import { at, dig, list, printable, table } from '../print.js';
import { damageOf } from '../report/call-report.js';
import { once, readPages } from '../report/trace-evidence.js';
import { EXIT, type World } from '../world.js';

/** Adds the command that decides the calls of a trace again. */
export function addReplay(program: Command, world: World, exits: Exits): void {
  const replay = describe(program, 'replay <traceId>', {
    about:
      `Decide every call of a trace again from its record; exits with ${EXIT.notIdentical} if any decision differs,\n` +
      `and with ${EXIT.soundInPart} if calls were archived and removed`,
    example: 'sallyport replay 4bf92f3577b34da6a3ce929d0e0e4736',
  });
  serviceAction(replay, world, exits, 'auditor', async ({ call, args, show }) => {
    const answer = joined(await readPages(call, path('audit', 'traces', args[0] ?? '', 'replay')));
    const identical = at(answer, 'identical');
    const calls = list(answer, 'calls');
    show(answer, () => [
      ...table(calls.map(rowOf)),
      printable(verdictOf(identical, calls.length)),
      ...list(answer, 'archived').map((task) => printable(movedText(task), 600)),
      ...list(answer, 'unchecked').map((each) =>
        printable(`not checked: ${typeof each === 'string' ? each : ''}`, 600),
      ),
    ]);
    if (identical === 'true') return EXIT.done;
    if (identical === 'archived') return EXIT.soundInPart;
    return identical === 'engine_gone' ? EXIT.engineGone : EXIT.notIdentical;
  });
}

/** The pages of a replay as one answer. A trace is identical only if each of its pages is. */
function joined(pages: readonly JsonObject[]): JsonObject {
  const [only = {}, ...more] = pages;
  if (more.length === 0) return only;
  const { next: _, ...first } = only;
  const words = pages.map((page) => at(page, 'identical'));
  const isWhole = words.every((word) => ['true', 'archived', 'engine_gone'].includes(word));
  const less = ['engine_gone', 'archived'].find((word) => words.includes(word));
  return {
    ...first,
    identical: isWhole ? (less ?? true) : false,
    archived: pages.flatMap((page) => list(page, 'archived')),
    calls: pages.flatMap((page) => list(page, 'calls')),
    unchecked: once(
      pages.flatMap((page) => list(page, 'unchecked')),
      (each) => JSON.stringify(each),
    ),
  };
}

function rowOf(one: Json): string[] {
  if (dig(one, 'identical') === undefined) return [wordOf('damaged'), damageOf(one)];
  const response = at(one, 'response', 'again');
  return [
    wordOf(at(one, 'identical') === 'false' && dig(one, 'damaged') === true ? 'damaged' : at(one, 'identical')),
    at(one, 'callId'),
    `attempt ${at(one, 'attempt')}`,
    `${at(one, 'recorded', 'decision')} ${at(one, 'recorded', 'reason')}`,
    `${at(one, 'recorded', 'digest')}${response === '' ? '' : `  response ${RESPONSES.get(response) ?? response}`}`,
  ];
}

/** The response, validated again. */
const RESPONSES: ReadonlyMap<string, string> = new Map([
  ['differs', 'DIFFERS'],
  ['damaged', 'DAMAGED'],
]);

/** Any other answer differs. */
const wordOf = (identical: string): string => SAMENESS.get(identical) ?? 'DIFFERS';

const SAMENESS: ReadonlyMap<string, string> = new Map([
  ['true', 'same'],
  ['shredded', 'shredded'],
  ['key_missing', 'KEY MISSING'],
  ['damaged', 'DAMAGED'],
  ['engine_gone', 'ENGINE GONE'],
]);

const movedText = (task: Json): string =>
  `archived: the calls of task ${at(task, 'taskId')} are in bundle ${at(task, 'file')} (${at(task, 'digest')}); ` +
  'sallyport verify decides them again';

function verdictOf(identical: string, decisions: number): string {
  if (identical === 'true') return `identical: all ${decisions} decisions come out the same again`;
  if (identical === 'archived') return `ARCHIVED: the ${decisions} decisions in the log come out the same again`;
  if (identical !== 'engine_gone') return 'NOT IDENTICAL: the record and the rules do not agree';
  return 'ENGINE GONE: nothing differs, but the service lacks an engine that some decisions were made with';
}
