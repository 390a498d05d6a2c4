import { neutraliseMarkers } from '../../../libs/content/envelope/markers.js';
import { isJsonObject, type Json, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { at, dig, list } from '../print.js';
import { callBlocks, evidenceText, titleOf } from './call-report.js';
import { facts, type Block } from './document.js';
import { clockOf, dayOf } from './times.js';
import { timelineRows } from './timeline.js';
import { filesOf } from './trace-report.js';
import { traceOf } from './trace-evidence.js';

/** One call for people: its sentence, its evidence, every check, the content whole, and the history of its capability. */
export function callReport(answer: JsonObject): Block[] {
  const { histories = {} } = answer;
  const files = filesOf(traceOf([{ traceId: at(answer, 'traceId'), calls: [answer], histories }]));
  return files.flatMap((file) => {
    const { call, history } = file;
    const time = at(call, 'time');
    return [
      { type: 'heading', level: 1, text: `call ${at(call, 'callId')} in trace ${at(call, 'traceId') || 'unknown'}` },
      { type: 'text', text: `All times are in UTC. The call was decided at ${clockOf(time)}.` },
      ...callBlocks(file, titleOf(call, clockOf(time, dayOf(time)))),
      { type: 'heading', level: 2, text: 'checks' },
      facts(list(call, 'checks').map((check) => [at(check, 'check'), checkText(check)])),
      ...attemptBlocks(call),
      ...contentBlocks(call),
      { type: 'heading', level: 2, text: 'history of the capability' },
      { type: 'table', head: ['time', 'by', 'event', 'what happened'], rows: timelineRows(history, [call], []) },
    ] satisfies Block[];
  });
}

function checkText(check: Json): string {
  const evidence = dig(check, 'evidence');
  return `${at(check, 'outcome')}${isJsonObject(evidence) ? `: ${evidenceText(evidence)}` : ''}`;
}

/** The attempts at the call, if there was more than one. */
function attemptBlocks(call: Json): Block[] {
  const attempts = list(call, 'attempts');
  if (attempts.length < 2) return [];
  return [
    { type: 'heading', level: 2, text: 'attempts' },
    {
      type: 'table',
      head: ['attempt', 'decision', 'reason', 'position'],
      rows: attempts.map((one) => ['attempt', 'decision', 'reason', 'position'].map((name) => at(one, name))),
    },
  ];
}

/** The content that left and that came back, whole. */
function contentBlocks(call: Json): Block[] {
  const parts: readonly (readonly [string, Json | undefined])[] = [
    ['arguments that were sent', dig(call, 'outbound', 'arguments')],
    ['context that was sent', notEmpty(dig(call, 'outbound', 'context'))],
    ['response of the server', dig(call, 'response', 'raw')],
  ];
  const quotes = parts.flatMap(([name, value]) =>
    value === undefined || value === null
      ? []
      : [{ type: 'quote', name, text: neutraliseMarkers(JSON.stringify(value, undefined, 2)) } as const],
  );
  return quotes.length === 0 ? [] : [{ type: 'heading', level: 2, text: 'content' }, ...quotes];
}

const notEmpty = (value: Json | undefined): Json | undefined =>
  Array.isArray(value) && value.length === 0 ? undefined : value;
