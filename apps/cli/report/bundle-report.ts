import { traceIn, type SoundBundle } from '../../../libs/bundle/trace.js';
import type { Verdict } from '../../../libs/bundle/verdict.js';
import type { JsonObject } from '../../../libs/kernel/canonical-json.js';
import { jsonText } from '../print.js';
import { UsageError, type World } from '../world.js';
import type { Block } from './document.js';
import { showReport, type FormatOptions } from './show.js';
import { traceOf, type TraceEvidence } from './trace-evidence.js';
import { selected, traceReport, type Selection } from './trace-report.js';

/** A verified bundle as its reader sees it. `head` is the first line of `sallyport verify`. */
export interface BundleReport {
  readonly head: string;
  readonly verdict: Verdict;
  readonly trace: TraceEvidence;
}

/** The chosen calls of a bundle. Throws `UsageError` if it lacks the one that was asked for. */
export async function bundledTrace(sound: SoundBundle, selection: Selection): Promise<TraceEvidence> {
  const page = JSON.parse((await traceIn(sound)).toString('utf8')) as JsonObject;
  const trace = selected(traceOf([page]), selection);
  if (selection.callId !== undefined && trace.calls.length === 0)
    throw new UsageError(`--call: the bundle has no ${selection.denied === true ? 'denied ' : ''}call with this id`);
  return trace;
}

/** Prints the verdict and then the report. JSON has the verdict as a member next to the evidence. */
export function showBundle(
  world: World,
  { head, verdict, trace }: BundleReport,
  options: FormatOptions & { readonly json?: boolean },
): void {
  const { historyOf: _, ...evidence } = trace;
  showReport(
    {
      world,
      options,
      show: (answer, lines, asJson) =>
        world.out(asJson === true || options.json === true ? `${jsonText(answer)}\n` : `${lines().join('\n')}\n`),
    },
    { verdict, ...evidence },
    `Sallyport trace ${trace.traceId}`,
    () => [...verdictBlocks(head, verdict), ...traceReport(trace)],
  );
}

function verdictBlocks(head: string, { gaps }: Verdict): Block[] {
  const lines = [
    head,
    ...gaps.map((gap) => `Not shown: ${gap}`),
    'All below is from the bundle alone. Users are pseudonyms, and positions are numbers of leaves. Tasks are as of the last event.',
  ];
  return lines.map((text) => ({ type: 'text', text }));
}
