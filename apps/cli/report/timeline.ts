import { ownValue, type Json } from '../../../libs/kernel/canonical-json.js';
import { at, dig } from '../print.js';
import { operationOf, SENTENCES } from '../sentences.js';
import { damageOf, isDamaged } from './call-report.js';
import { dayOf, timeOf } from './times.js';

/**
 * Events as rows of time, actor, type and sentence. The date has a row of its own where it changes. `calls` and `tasks`
 * are the evidence that sentences rest on.
 */
export function timelineRows(events: readonly Json[], calls: readonly Json[], tasks: readonly Json[]): string[][] {
  const evidence = new Map(calls.map((call) => [keyOf(call), call]));
  const taskOf = new Map(tasks.map((task) => [at(task, 'taskId'), task]));
  let day = '';
  return events.flatMap((event) => {
    const time = at(event, 'time');
    const rows = dayOf(time) === day || isDamaged(event) ? [] : [[dayOf(time), '', '', '']];
    if (rows.length > 0) day = dayOf(time);
    const taskId = at(event, 'data', 'taskId') || at(event, 'stream').replace(/^task-/, '');
    const of = evidence.get(keyOf(dig(event, 'data'))) ?? taskOf.get(taskId);
    return [...rows, rowOf(event, of)];
  });
}

/** The first attempt has no number in the events of today. */
const keyOf = (one: Json | undefined): string => `${at(one, 'callId')}#${at(one, 'attempt') || '1'}`;

function rowOf(event: Json, of: Json | undefined): string[] {
  if (isDamaged(event)) return ['', '', '', damageOf(event)];
  const type = at(event, 'type');
  return [timeOf(at(event, 'time')), at(event, 'actor'), type, sentenceOf(event, of)];
}

/** An event in a sentence. An event of a newer version of the service has its reason alone. */
export function sentenceOf(event: Json, of?: Json): string {
  const data = dig(event, 'data');
  return ownValue(SENTENCES, at(event, 'type'))?.(data, of) ?? (at(data, 'reason') || operationOf(data, of));
}
