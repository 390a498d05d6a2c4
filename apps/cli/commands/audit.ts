import type { Command } from 'commander';
import { path } from '../client.js';
import { describe, serviceAction, type Exits } from '../command.js';
import { at, list, printable, table } from '../print.js';
import { showReport, withFormat, type FormatOptions } from '../report/show.js';
import { readPages, traceOf } from '../report/trace-evidence.js';
import { selected, traceReport, type Selection } from '../report/trace-report.js';
import { EXIT, UsageError, type World } from '../world.js';
import { addCalls } from './calls.js';

interface TraceOptions extends FormatOptions {
  readonly denied?: boolean;
  readonly call?: string;
}

/** Commands about evidence. */
export function addAudit(program: Command, world: World, exits: Exits): void {
  addTrace(program, world, exits);
  addCalls(program, world, exits);
  addReplay(program, world, exits);
}

function addTrace(program: Command, world: World, exits: Exits): void {
  const trace = describe(program, 'trace <traceId>', {
    about: 'Tell all evidence of a trace: each call in a sentence, its evidence, and what happened in order',
    example:
      'sallyport trace 4bf92f3577b34da6a3ce929d0e0e4736 --denied\n' +
      'sallyport trace 4bf92f3577b34da6a3ce929d0e0e4736 --format html > trace.html',
  })
    .option('--denied', 'only the calls that were denied')
    .option('--call <callId>', 'only one call');
  serviceAction<TraceOptions>(withFormat(trace), world, exits, 'auditor', async (session) => {
    const { call, args, options } = session;
    const traceId = args[0] ?? '';
    const pages = await readPages(call, traceId);
    const selection: Selection = { denied: options.denied, callId: options.call };
    const whole = traceOf(pages);
    const told = selected(whole, selection);
    if (options.call !== undefined && told.calls.length === 0) {
      throw new UsageError(`--call: the trace has no ${options.denied === true ? 'denied ' : ''}call with this id`);
    }
    const [only] = pages;
    const { historyOf: _, ...joined } = told;
    const answer = told === whole && pages.length === 1 ? only : joined;
    showReport(session, answer, `Sallyport trace ${traceId}`, () => traceReport(told));
  });
}

function addReplay(program: Command, world: World, exits: Exits): void {
  const replay = describe(program, 'replay <traceId>', {
    about: `Decide every call of a trace again from its record; exits with ${EXIT.notIdentical} if any decision differs`,
    example: 'sallyport replay 4bf92f3577b34da6a3ce929d0e0e4736',
  });
  serviceAction(replay, world, exits, 'auditor', async ({ call, args, show }) => {
    const answer = await call('GET', path('audit', 'traces', args[0] ?? '', 'replay'));
    const identical = at(answer, 'identical');
    show(answer, () => [
      ...table(
        list(answer, 'calls').map((one) => [
          SAMENESS.get(at(one, 'identical')) ?? 'DIFFERS',
          at(one, 'callId'),
          `attempt ${at(one, 'attempt')}`,
          `${at(one, 'recorded', 'decision')} ${at(one, 'recorded', 'reason')}`,
          at(one, 'recorded', 'digest'),
        ]),
      ),
      printable(verdictOf(identical, list(answer, 'calls').length)),
    ]);
    if (identical === 'true') return EXIT.done;
    return identical === 'engine_gone' ? EXIT.engineGone : EXIT.notIdentical;
  });
}

/** The word for one decision of a replay. Any other answer differs. */
const SAMENESS: ReadonlyMap<string, string> = new Map([
  ['true', 'same'],
  ['shredded', 'shredded'],
  ['key_missing', 'KEY MISSING'],
  ['engine_gone', 'ENGINE GONE'],
]);

function verdictOf(identical: string, decisions: number): string {
  if (identical === 'true') return `identical: all ${decisions} decisions come out the same again`;
  if (identical !== 'engine_gone') return 'NOT IDENTICAL: the record and the rules do not agree';
  return 'ENGINE GONE: nothing differs, but the service lacks an engine that some decisions were made with';
}
