import type { CallDecided } from '../calls/events.js';
import type { ComparedDecision, DamagedEvent, ReplayedCall } from '../contract/evidence.js';
import { denyFor, type Decision } from '../decision/decide.js';
import { decisionDigest, recordedCheck } from '../decision/record.js';
import type { Basis } from '../decision/snapshot.js';
import { parseEvent } from '../event-log/event.js';
import type { RecordedEvent } from '../event-log/port.js';
import { isJsonObject, ownValue, type Json } from '../kernel/canonical-json.js';
import { digestOf, type Digest } from '../kernel/digest.js';
import { familyOf } from '../streams/catalogue.js';
import type { Attempt } from './attempts.js';
import { redecide, type Reconstructor } from './reconstruct.js';
import { isShowable, isWhole } from './soundness.js';
import { damagedEvent } from './stored-event.js';

/** Facts that no replay can show, for people who read one. */
export const UNCHECKED: readonly string[] = [
  'that no events at the end of a stream are gone: a checkpoint of the transparency log shows that',
  'what the host observed of the server, and that it sent what it was allowed to send: those are its word',
  'which user and agent acted: the host attested them when it opened the task',
];

const GONE = 'engine_gone' as const;

/** Decides a recorded attempt again, at its recorded revisions and time. */
export async function replayed(reconstructor: Reconstructor, attempt: Attempt): Promise<ReplayedCall> {
  const { decided, event } = attempt;
  const { callId, decision, reason } = decided;
  const recorded = { decision, reason, digest: storedDigest(event) };
  const again = reconstructor.lacksRulesOf(attempt)
    ? { redecided: recorded, identical: isWhole(event) && (await reconstructor.holdsContent(attempt)) ? GONE : false }
    : await decidedAgain(reconstructor, attempt, recorded);
  const lost = attempt.lost === undefined ? {} : { damaged: true as const };
  return { callId, attempt: decided.attempt, position: String(event.position), recorded, ...again, ...lost };
}

async function decidedAgain(
  reconstructor: Reconstructor,
  attempt: Attempt,
  recorded: ComparedDecision,
): Promise<Pick<ReplayedCall, 'redecided' | 'identical' | 'damaged'>> {
  const inputs = await reconstructor.reconstruct(attempt);
  const decision = inputs.ok ? redecide(attempt, inputs.value) : undefined;
  if (!inputs.ok) return { redecided: nothingDecided(), identical: false, damaged: true };
  if (decision === undefined) return { redecided: nothingDecided(), identical: false };
  const { content, commitments, snapshot, engineGone } = inputs.value;
  const redecided = compared(decision, commitments, snapshot.basis);
  // The digest does not name the approval that an allow rests on.
  const isSameApproval = decision.decision === 'deny' || decision.approval === attempt.decided.approval;
  const isSameDecision = redecided.digest === recorded.digest && isSameApproval;
  const isSame = content !== 'damaged' && isWhole(attempt.event) && isSameDecision;
  if (!isSame) return { redecided, identical: false };
  if (engineGone && content !== 'key_missing') return { redecided, identical: GONE };
  return { redecided, identical: content === 'shredded' || content === 'key_missing' ? content : true };
}

/** Of the data as its version has it: no upcaster changes a digest that was published. A decider's answers keep the old shape. */
const storedDigest = ({ stream, json }: RecordedEvent): Digest =>
  decisionDigest(familyOf(stream)?.asOfItsVersion(parseEvent(json)).data as CallDecided);

const nothingDecided = (): ComparedDecision => compared(denyFor('internal_error', undefined), {}, {});

function compared(decision: Decision, commitments: CallDecided['commitments'], basis: Basis): ComparedDecision {
  const checks = decision.checks.map(recordedCheck);
  const { reason, rule } = decision;
  const digest = decisionDigest({ decision: decision.decision, reason, rule, checks, commitments, basis });
  return { decision: decision.decision, reason, digest };
}

/**
 * An event of a call that cannot be replayed. A damaged one is in its place, without its text. A newer version's is shown
 * with the members that it has, and is never identical.
 */
export function unreplayable(event: RecordedEvent): ReplayedCall | DamagedEvent {
  if (!isShowable(event)) return damagedEvent(event);
  const { json, position } = event;
  const data = parseEvent(json).data as Json;
  const member = (name: string) => (isJsonObject(data) ? ownValue(data, name) : undefined);
  const [callId, attempt] = [member('callId'), member('attempt')];
  const nothing = nothingDecided();
  return {
    callId: typeof callId === 'string' ? callId : '',
    attempt: typeof attempt === 'number' ? attempt : 0,
    position: String(position),
    recorded: { ...nothing, digest: digestOf(data) },
    redecided: nothing,
    identical: false,
  };
}
