import type { OneCall } from '../contract/evidence.js';
import type { DecisionEngines } from '../decision-point/engines.js';
import type { LogReading } from '../event-log/port.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { KeyReading } from '../payloads/keyring.js';
import { families } from '../streams/catalogue.js';
import type { ApprovalHistories } from './approval-histories.js';
import { attemptsAt } from './attempts-at.js';
import { Contents } from './contents.js';
import type { DirectiveHistory } from './directive-history.js';
import { evidenceOf } from './evidence.js';
import { Histories } from './histories.js';
import { History } from './history.js';
import type { IndexReading } from './index/reading.js';
import { Reconstructor } from './reconstruct.js';
import { lostItem } from './stored-event.js';
import { utf8Of } from './utf8.js';

export interface OneCallSources {
  readonly log: LogReading;
  readonly keys: KeyReading;
  readonly engines: DecisionEngines;
  readonly index: IndexReading;
  readonly directives: DirectiveHistory;
  readonly approvals: ApprovalHistories;
}

/**
 * The evidence of one call as the JSON of a `OneCall` in UTF-8: of the last attempt at it. Undefined if there is no such
 * call. Throws `LogUnavailable`, `KeyringUnavailable`, `IndexUnavailable`.
 */
export async function oneCall(
  { log, keys, engines, index, directives, approvals }: OneCallSources,
  callId: string,
  task: string | undefined,
): Promise<Result<Buffer<ArrayBuffer> | undefined, Refusal>> {
  const end = await index.asOf();
  const all = await index.attempts(callId);
  const found = await attemptsAt(log, all);
  const own = found.filter((each) => {
    if ('attempt' in each) return task === undefined || each.attempt.decided.taskId === task;
    return task === undefined || each.reference.stream === families.calls.stream(task);
  });
  const last = own.at(-1);
  if (last === undefined) return ok(undefined);
  if (task === undefined && new Set(own.map(({ reference }) => reference.stream)).size > 1) return err(ambiguous());
  if ('lost' in last) return err(damagedCall(last.reference.position));
  const history = new History(log, directives, approvals);
  const contents = new Contents(log, keys);
  const reconstructor = new Reconstructor(log, engines, history, contents);
  const histories = new Histories(history, end);
  const evidence = await evidenceOf({ reconstructor, history, contents, users: keys }, last.attempt);
  const attempts: OneCall['attempts'] = own.map((each) => {
    if ('lost' in each) return lostItem(each);
    const { attempt, decision, reason } = each.attempt.decided;
    return { attempt, position: String(each.attempt.event.position), decision, reason };
  });
  const head = JSON.stringify({ ...evidence, capabilityHistory: await histories.positionsFor(last.attempt), attempts });
  return ok(utf8Of([head.slice(0, -1), ',"histories":', ...histories.pieces(), '}']));
}

function ambiguous(): Refusal {
  const errors = [{ path: '/task', message: 'is required: several tasks have a call of this id' }];
  return refusal('malformed_request', 'several tasks have a call of this id', errors);
}

const damagedCall = (position: bigint): Refusal =>
  refusal('evidence_damaged', `the record of the call at position ${position} is damaged or missing`);
