import { isJsonObject, ownValue, type Json, type JsonObject } from '../../libs/kernel/canonical-json.js';
import { at, dig, list, printable, table } from './print.js';
import { decisionWord, operationOf, SENTENCES } from './sentences.js';

/** A trace as a story: each event with its time and its actor, and the evidence of each decision. */
export function timelineOf(trace: JsonObject): string[] {
  const calls = list(trace, 'calls');
  const keyOf = (one: Json | undefined): string => `${at(one, 'callId')}#${at(one, 'attempt')}`;
  const evidence = new Map(calls.map((call) => [keyOf(call), call]));
  const tasks = new Map(list(trace, 'tasks').map((task) => [at(task, 'taskId'), task]));
  const operations = new Map<string, string>();
  const rows = list(trace, 'events').map((event) => {
    const data = dig(event, 'data');
    const call = evidence.get(keyOf(data));
    if (call !== undefined && at(event, 'type') === 'CallDecided') operations.set(keyOf(data), operationOf(data, call));
    const type = at(event, 'type');
    const sentence = ownValue(SENTENCES, type)?.(data, call ?? tasks.get(at(data, 'taskId'))) ?? at(data, 'reason');
    return [at(event, 'time').replace('T', ' '), at(event, 'actor'), type, sentence];
  });
  return [
    printable(
      `trace ${at(trace, 'traceId')}: ${list(trace, 'tasks').length} tasks, ${calls.length} calls, ${rows.length} events`,
    ),
    ...table(rows),
    ...(calls.length === 0
      ? []
      : ['', 'calls', ...calls.flatMap((call) => callLines(call, operations.get(keyOf(call)) ?? 'call'))]),
  ];
}

/** The checks of a decision: those that passed, and the failed one with its evidence. */
export function checkLines(decision: Json): string[] {
  return list(decision, 'checks').map((check) => {
    const evidence = dig(check, 'evidence');
    const told = evidence === undefined ? '' : ` ${JSON.stringify(evidence)}`;
    return printable(`  ${at(check, 'outcome').padEnd(7)} ${at(check, 'check')}${told}`, 600);
  });
}

function callLines(call: Json, operation: string): string[] {
  const rows: string[][] = [
    ['call', `${at(call, 'callId')} attempt ${at(call, 'attempt')}`],
    ['registry', registryText(call)],
    [
      'server',
      [at(call, 'serverAuthentication', 'method'), at(call, 'serverAuthentication', 'result')].join(' ').trim(),
    ],
    ['rule', at(call, 'scopeCheck', 'rule')],
    ['sent', partText(call, 'outbound', 'arguments')],
    ['response', responseText(call)],
    ['outcome', [at(call, 'outcome', 'status'), at(call, 'outcome', 'effect', 'type')].join(' ').trim()],
  ];
  const told = rows.filter((row) => row[1] !== '');
  const reason = at(call, 'decision') === 'deny' ? `: ${at(call, 'reason')}` : '';
  return [
    printable(`${decisionWord(call)} ${operation}${reason}`),
    ...table(told.map(([name = '', text = '']) => [`  ${name}`, text])),
  ];
}

function registryText(call: Json): string {
  const registry = dig(call, 'registry');
  if (!isJsonObject(registry)) return '';
  const review = at(registry, 'review', 'verdict');
  const by = at(registry, 'review', 'by');
  const trust = at(registry, 'trust') === '' ? '' : `, trust ${at(registry, 'trust')}`;
  const reviewed = review === '' ? 'not reviewed' : `${review}${by === '' ? '' : ` by ${by}`}${trust}`;
  return `${at(registry, 'capability')}@${at(registry, 'version')} ${reviewed} ${at(registry, 'definitionDigest')}`;
}

function responseText(call: Json): string {
  const verdict = partText(call, 'response', 'verdict');
  const label = dig(call, 'response', 'sourceLabel');
  if (!isJsonObject(label)) return verdict;
  return `${verdict}, labelled ${at(label, 'capability')}@${at(label, 'version')} ${at(label, 'operation')}`;
}

/** A member of content. If the content was shredded, the word for that. */
function partText(call: Json, part: string, member: string): string {
  const whole = dig(call, part);
  if (typeof whole === 'string') return whole;
  const value = dig(whole, member);
  return value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
}
