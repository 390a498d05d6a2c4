import type { EventFormat, ListFormat } from '../contract/audit.js';
import type { RecordedEvent } from '../event-log/port.js';
import type { ListedCall } from './calls.js';
import { csvRow, type CsvValue } from './csv.js';
import { ocsfOf } from '../siem/ocsf-of.js';
import { isShowable } from './soundness.js';
import { storedEvent, storedText } from './stored-event.js';

/** Writes the pages of a list. A format that streams writes one page after another as one text. */
export interface PageFormat<Item> {
  /** The beginning of the text. */
  readonly head: string;
  page(items: readonly Item[], next: string | undefined): string;
}

export const EVENT_FORMATS: Readonly<Record<EventFormat, PageFormat<RecordedEvent>>> = {
  json: { head: '', page: (events, next) => jsonPage(events.map(storedText), next) },
  jsonl: { head: '', page: (events) => events.map((event) => `${storedText(event)}\n`).join('') },
  ocsf: { head: '', page: (events, next) => jsonPage(events.flatMap(ocsfText), next) },
  csv: csvOf<RecordedEvent>({
    position: (event) => String(event.position),
    time: (event) => memberOf(event, 'time'),
    type: ({ type }) => type,
    actor: (event) => memberOf(event, 'actor'),
    stream: ({ stream }) => stream,
    revision: ({ revision }) => revision,
    traceId: (event) => memberOf(event, 'traceId'),
    id: (event) => memberOf(event, 'id'),
    damaged: (event) => ('damaged' in storedEvent(event) ? true : undefined),
    data: (event) => memberOf(event, 'data'),
  }),
};

export const CALL_FORMATS: Readonly<Record<ListFormat, PageFormat<ListedCall>>> = {
  json: {
    head: '',
    page: (calls, next) =>
      jsonPage(
        calls.map((call) => JSON.stringify(call)),
        next,
      ),
  },
  jsonl: { head: '', page: (calls) => calls.map((call) => `${JSON.stringify(call)}\n`).join('') },
  csv: csvOf<ListedCall>({
    position: ({ position }) => position,
    time: of('time'),
    traceId: of('traceId'),
    taskId: of('taskId'),
    callId: of('callId'),
    attempt: of('attempt'),
    host: of('host'),
    agent: of('agent'),
    user: (call) => ('user' in call ? call.user?.id : undefined),
    purpose: of('purpose'),
    capability: of('capability'),
    version: of('version'),
    operation: of('operation'),
    decision: of('decision'),
    reason: of('reason'),
    rule: (call) => ('scopeCheck' in call ? call.scopeCheck.rule : undefined),
    policyVersion: of('policyVersion'),
    verdict: (call) => ('response' in call && typeof call.response === 'object' ? call.response?.verdict : undefined),
    outcome: (call) => ('outcome' in call ? call.outcome?.status : undefined),
    fault: (call) => ('missing' in call ? 'missing' : 'damaged' in call ? 'damaged' : undefined),
  }),
};

/** Damaged events are shown as they are in other formats. */
function ocsfText(event: RecordedEvent): string[] {
  if (!isShowable(event)) return [storedText(event)];
  const shown = ocsfOf(event);
  return shown === undefined ? [] : [JSON.stringify(shown)];
}

function jsonPage(items: readonly string[], next: string | undefined): string {
  return `{"items":[${items.join(',')}]${next === undefined ? '' : `,"next":${JSON.stringify(next)}`}}`;
}

function csvOf<Item>(columns: Readonly<Record<string, (item: Item) => CsvValue>>): PageFormat<Item> {
  const cells = Object.values(columns);
  return {
    head: csvRow(Object.keys(columns)),
    page: (items) => items.map((item) => csvRow(cells.map((valueOf) => valueOf(item)))).join(''),
  };
}

/** A member of a call; empty if the log cannot show the call. */
function of(name: string): (call: ListedCall) => CsvValue {
  return (call) => valueAt(call, name);
}

function memberOf(event: RecordedEvent, name: string): CsvValue {
  return valueAt(storedEvent(event), name);
}

const valueAt = (item: object, name: string): CsvValue => new Map<string, CsvValue>(Object.entries(item)).get(name);
