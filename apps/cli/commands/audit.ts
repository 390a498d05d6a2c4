import type { Command } from 'commander';
import { path } from '../client.js';
import { describe, serviceAction, type Exits } from '../command.js';
import { showReport, withFormat, type FormatOptions } from '../report/show.js';
import { readPages, traceOf } from '../report/trace-evidence.js';
import { selected, traceReport, type Selection } from '../report/trace-report.js';
import { UsageError, type World } from '../world.js';
import { addBundle } from './bundle.js';
import { addCalls } from './calls.js';
import { addExposure } from './exposure.js';
import { addReplay } from './replay.js';

interface TraceOptions extends FormatOptions {
  readonly denied?: boolean;
  readonly call?: string;
}

/** Commands about evidence. */
export function addAudit(program: Command, world: World, exits: Exits): void {
  addTrace(program, world, exits);
  addCalls(program, world, exits);
  addExposure(program, world, exits);
  addBundle(program, world, exits);
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
    const pages = await readPages(call, path('audit', 'traces', traceId));
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
