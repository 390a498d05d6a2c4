import { isJsonObject, type Json, type JsonObject } from '../../libs/kernel/canonical-json.js';
import { at, dig, list, printable, table } from './print.js';
import { targetText } from './target.js';

/** A trace as a story: each event with its time and its actor, and the evidence of each decision. */
export function timelineOf(trace: JsonObject): string[] {
  const calls = list(trace, 'calls');
  const keyOf = (one: Json | undefined): string => `${at(one, 'callId')}#${at(one, 'attempt')}`;
  const evidence = new Map(calls.map((call) => [keyOf(call), call]));
  const operations = new Map<string, string>();
  const rows = list(trace, 'events').map((event) => {
    const data = dig(event, 'data');
    const call = evidence.get(keyOf(data));
    if (call !== undefined && at(event, 'type') === 'CallDecided') operations.set(keyOf(data), operationOf(data, call));
    const type = at(event, 'type');
    return [at(event, 'time').replace('T', ' '), at(event, 'actor'), type, sayingOf(type, data, call)];
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

function sayingOf(type: string, data: Json | undefined, call: Json | undefined): string {
  const version = `${at(data, 'capability')}@${at(data, 'version')}`;
  switch (type) {
    case 'TaskOpened':
      return `${at(data, 'agent')} for ${at(data, 'user', 'id')}`.trim();
    case 'CallDecided':
      return `${decisionWord(data)} ${operationOf(data, call)}${at(data, 'decision') === 'deny' ? `: ${at(data, 'reason')}` : ''}`;
    case 'ResponseValidated':
      return `${at(data, 'verdict')}${list(data, 'findings').length === 0 ? '' : `, ${list(data, 'findings').length} findings`}`;
    case 'OutcomeRecorded':
      return [at(data, 'status'), at(data, 'effect', 'type')].filter((word) => word !== '').join(', ');
    case 'DirectiveIssued':
      return `${targetText(isJsonObject(data) ? data : {})}: ${at(data, 'reason')}`;
    case 'DirectiveLifted':
      return at(data, 'reason');
    case 'VersionReviewed':
      return `${version} ${at(data, 'verdict')}: ${at(data, 'reason')}`;
    case 'DriftObserved':
      return `${version} seen by ${at(data, 'host')}: ${at(data, 'diff', 'severity')}`;
    case 'VersionSuspended': {
      const host = at(data, 'host');
      return `${version}${host === '' ? '' : ` for ${host}`} ${at(data, 'reason')}`.trim();
    }
    case 'ExceptionsAmended': {
      const changes = [...words(data, 'added', '+'), ...words(data, 'removed', '-')];
      return `${version} exceptions ${changes.join(' ')}: ${at(data, 'reason')}`;
    }
    case 'VersionProposed':
    case 'VersionReinstated':
    case 'VersionRevoked':
      return `${version} ${at(data, 'reason')}`.trim();
    default:
      return at(data, 'reason');
  }
}

function words(data: Json | undefined, key: string, sign: string): string[] {
  return list(data, key).map((word) => `${sign}${typeof word === 'string' ? word : ''}`);
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

function decisionWord(data: Json | undefined): string {
  return at(data, 'decision') === 'allow' ? 'ALLOW' : 'DENY ';
}

function operationOf(data: Json | undefined, call: Json | undefined): string {
  const capability = at(data, 'capability') || at(call, 'registry', 'capability');
  return [capability, at(data, 'operation')].filter((word) => word !== '').join('/');
}
