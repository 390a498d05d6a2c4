import type { Json } from '../../../libs/kernel/canonical-json.js';
import { at, dig, joined, list } from '../print.js';
import { callBlocks, contentText, damageOf, isDamaged, titleOf } from './call-report.js';
import { named, type CallFile } from './call-file.js';
import { facts, type Block } from './document.js';
import { clockOf, dayOf } from './times.js';
import { timelineRows } from './timeline.js';
import { inOrder, once, placeOf, type TraceEvidence } from './trace-evidence.js';

/** The calls that a report tells. Without a condition it tells all. */
export interface Selection {
  readonly denied?: boolean | undefined;
  readonly callId?: string | undefined;
}

/** The part of a trace that is about the selected calls: other calls and their events are left out. */
export function selected(trace: TraceEvidence, { denied, callId }: Selection): TraceEvidence {
  if (denied !== true && callId === undefined) return trace;
  const isChosen = (call: Json): boolean =>
    (denied !== true || at(call, 'decision') !== 'allow') && (callId === undefined || at(call, 'callId') === callId);
  const calls = trace.calls.filter(isChosen);
  const chosen = new Set(calls.map((call) => at(call, 'callId')));
  const events = trace.events.filter((event) => ['', ...chosen].includes(at(event, 'data', 'callId')));
  return { ...trace, calls, events };
}

/** A trace for people: its tasks, each call with its evidence, and all events with the history of the capabilities. */
export function traceReport(trace: TraceEvidence): Block[] {
  const { traceId, tasks, calls, events } = trace;
  const denied = calls.filter((call) => at(call, 'decision') === 'deny').length;
  const told = [counted(tasks, 'task'), `${counted(calls, 'call')} (${denied} denied)`, counted(events, 'event')];
  const files = filesOf(trace);
  const day = dayOf(at(events[0] ?? calls[0], 'time'));
  const history = files.flatMap((file) => file.history);
  return [
    { type: 'heading', level: 1, text: `trace ${traceId}: ${told.join(', ')}` },
    { type: 'text', text: `All times are in UTC. The first day is ${day === '' ? 'unknown' : day}.` },
    ...tasks.flatMap((task) => taskBlocks(task, events)),
    { type: 'heading', level: 2, text: calls.length === 0 ? 'no calls' : 'calls' },
    ...files.flatMap((file) => callBlocks(file, titleOf(file.call, clockOf(at(file.call, 'time'), day)))),
    { type: 'heading', level: 2, text: 'timeline, with the history of each capability' },
    {
      type: 'table',
      head: ['time', 'by', 'event', 'what happened'],
      rows: timelineRows(inOrder(once([...history, ...events], placeOf)), calls, tasks),
    },
  ];
}

/** Each call of a trace with what its sentence rests on. */
export function filesOf({ calls, tasks, events, historyOf }: TraceEvidence): CallFile[] {
  const byId = new Map(tasks.map((task) => [at(task, 'taskId'), task]));
  return calls.map((call) => ({ call, task: byId.get(at(call, 'taskId')), history: historyOf(call), events }));
}

const counted = (items: readonly Json[], what: string): string =>
  `${items.length} ${what}${items.length === 1 ? '' : 's'}`;

function taskBlocks(task: Json, events: readonly Json[]): Block[] {
  const heading: Block = { type: 'heading', level: 2, text: `task ${at(task, 'taskId')}` };
  if (isDamaged(task)) return [heading, { type: 'text', text: `Its state cannot be read. ${damageOf(task)}` }];
  const stream = `task-${at(task, 'taskId')}`;
  const opened = events.find((event) => at(event, 'type') === 'TaskOpened' && at(event, 'stream') === stream);
  const openedAt = at(opened, 'time');
  const day = dayOf(openedAt);
  const roles = joined(task, 'user', 'roles');
  const user = `${named(at(task, 'user', 'id'))}${roles === '' ? '' : ` (${roles})`}`;
  const word = at(task, 'user', 'attestedBy');
  return [
    heading,
    facts([
      ['opened', openedAt === '' ? '' : `${clockOf(openedAt)} by host ${named(at(task, 'host'))}`],
      ['agent', `${named(at(task, 'agent'))} for user ${user}${word === '' ? '' : `, on the word of ${named(word)}`}`],
      ['pseudonym', at(task, 'user', 'pseudonym')],
      ['purpose', contentText(dig(task, 'purpose'))],
      ['scope', list(task, 'scope').map(scopeText).join('; ')],
      [
        'pins',
        list(task, 'pins')
          .map((pin) => `${at(pin, 'capability')}@${at(pin, 'version')}`)
          .join(', '),
      ],
      [
        'unresolved',
        list(task, 'unresolved')
          .map((one) => `${at(one, 'capability')} (${at(one, 'reason')})`)
          .join(', '),
      ],
      ['status', `${at(task, 'status')}, expires at ${clockOf(at(task, 'expiresAt'), day)}`],
      ['closed', contentText(dig(task, 'closeReason'))],
      ['archived', archivedText(task)],
    ]),
  ];
}

/** The bundle that has the calls of a task, if they were removed from the log. */
function archivedText(task: Json): string {
  if (dig(task, 'archived') === undefined) return '';
  const [file, digest, position] = ['file', 'digest', 'position'].map((name) => at(task, 'archived', name));
  return `its calls were removed: see bundle ${file} (${digest}), recorded at position ${position}`;
}

function scopeText(entry: Json): string {
  const version = at(entry, 'version');
  const parts = [
    `${at(entry, 'capability')}${version === '' ? '' : `@${version}`}`,
    withWord('effects', joined(entry, 'effects')),
    withWord(
      'operations',
      list(entry, 'operations')
        .map((one) => named(typeof one === 'string' ? one : ''))
        .join(', '),
    ),
    at(entry, 'maxCalls') === '' ? '' : `at most ${at(entry, 'maxCalls')} calls`,
  ];
  return parts.filter((part) => part !== '').join(', ');
}

const withWord = (word: string, text: string): string => (text === '' ? '' : `${word} ${text}`);
