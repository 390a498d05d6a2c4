import equal from 'fast-deep-equal';
import type { Decider } from '../kernel/decider.js';
import type { Digest } from '../kernel/digest.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { Instant } from '../kernel/time.js';
import { approvalStatus, evolveApprovals, noApprovals, type Approvals } from './approvals.js';
import { taints } from './taint.js';
import type {
  ApprovalDecided,
  ApprovalRequested,
  CallDecided,
  ContextFiltered,
  OutcomeRecorded,
  ResponseReleased,
  ResponseValidated,
} from './events.js';

export type CallsEvent = { readonly actor: string; readonly time: Instant; readonly position?: bigint } & (
  | { readonly type: 'CallDecided'; readonly data: CallDecided }
  | { readonly type: 'ContextFiltered'; readonly data: ContextFiltered }
  | { readonly type: 'ResponseValidated'; readonly data: ResponseValidated }
  | { readonly type: 'ResponseReleased'; readonly data: ResponseReleased }
  | { readonly type: 'OutcomeRecorded'; readonly data: OutcomeRecorded }
  | { readonly type: 'ApprovalRequested'; readonly data: ApprovalRequested }
  | { readonly type: 'ApprovalDecided'; readonly data: ApprovalDecided }
);

/** A decision without the members that only readers of the log need. */
export type Attempted = Omit<CallDecided, 'agent' | 'commitments' | 'effects' | 'user'>;

/** One attempt as recorded, without what only the log has to hold. `position` is unknown until its append is confirmed. */
export interface AttemptState {
  readonly decided: Attempted;
  readonly at: Instant;
  /** Revision of its event in `calls-<taskId>`. */
  readonly revision: number;
  position?: bigint | undefined;
}

export interface CallState {
  readonly callId: string;
  readonly requestDigest: string | undefined;
  latest: AttemptState;
  /** The latest attempt that was allowed. */
  allowed?: AttemptState;
  response?: { readonly validated: ResponseValidated; readonly revision: number; position?: bigint | undefined };
  /** Somebody released the response, which was held. */
  released?: { readonly by: string; position?: bigint | undefined };
  outcome?: { readonly recorded: OutcomeRecorded; readonly replaced: boolean; position?: bigint | undefined };
}

/** All calls of one task, folded from `calls-<taskId>` alone. */
export interface CallsState {
  revision: number;
  readonly calls: Map<string, CallState>;
  readonly approvals: Approvals;
  /** When a response of the task was quarantined first. Undefined as long as none was. */
  taintedAt?: Instant | undefined;
  /** The latest decision. The next one shares its equal parts, so memory holds them once. */
  last?: Attempted;
  /** Size of all caller-sized parts, in characters. Replaced parts still count. */
  chars: number;
}

export type CallsCommand = { readonly actor: string; readonly time: Instant } & (
  | {
      readonly type: 'record-decision';
      readonly decided: Omit<CallDecided, 'attempt' | 'filtered'>;
      /** The work of the filter, if it did anything. */
      readonly filtered?: Omit<ContextFiltered, 'attempt'> | undefined;
    }
  | { readonly type: 'record-response'; readonly validated: ResponseValidated }
  | { readonly type: 'release-response'; readonly released: Omit<ResponseReleased, 'attempt'> }
  | {
      readonly type: 'record-outcome';
      readonly outcome: OutcomeRecorded;
      /** The digest of the same request in an event of version 1. */
      readonly plainDigest: Digest;
    }
  | { readonly type: 'request-approval'; readonly requested: ApprovalRequested }
  | { readonly type: 'decide-approval'; readonly decided: ApprovalDecided }
);

export const callsDecider: Decider<CallsState, CallsCommand, CallsEvent, Refusal> = {
  initialState: () => ({ revision: 0, calls: new Map(), approvals: noApprovals(), chars: 0 }),
  decide(command, state) {
    switch (command.type) {
      case 'record-decision':
        return recordDecision(command, state);
      case 'record-response':
        return recordResponse(command, state);
      case 'release-response':
        return releaseResponse(command, state);
      case 'record-outcome':
        return recordOutcome(command, state);
      case 'request-approval':
        return requestApproval(command, state);
      case 'decide-approval':
        return decideApproval(command, state);
    }
  },
  evolve(state, event) {
    state.revision += 1;
    const { revision } = state;
    const { position } = event;
    if (event.type === 'ApprovalRequested' || event.type === 'ApprovalDecided') {
      evolveApprovals(state.approvals, event);
      state.chars += charsOf(event.data);
      return state;
    }
    // The decision that it belongs to is the next event.
    if (event.type === 'ContextFiltered') return state;
    if (event.type === 'CallDecided') {
      evolveApprovals(state.approvals, event);
      const { last } = state;
      const decided = attemptedOf(event.data, last);
      state.chars += ownChars(decided, last);
      state.last = decided;
      const attempt: AttemptState = { decided, at: event.time, revision, position };
      const call = state.calls.get(decided.callId);
      if (call === undefined) {
        const { callId, requestDigest } = decided;
        state.calls.set(callId, { callId, requestDigest, latest: attempt, ...allowedAs(attempt) });
      } else {
        Object.assign(call, { latest: attempt }, allowedAs(attempt));
      }
      return state;
    }
    const call = state.calls.get(event.data.callId);
    if (call === undefined) throw new Error(`${event.type} before CallDecided`);
    state.chars += toldChars(event);
    switch (event.type) {
      case 'ResponseValidated':
        call.response = { validated: event.data, revision, position };
        if (taints(event.data)) state.taintedAt ??= event.time;
        break;
      case 'ResponseReleased':
        call.released = { by: event.actor, position };
        break;
      case 'OutcomeRecorded':
        call.outcome = { recorded: event.data, replaced: call.outcome !== undefined, position };
    }
    return state;
  },
};

/** Whether a response waits for a release, or waited for one. */
export const isHeld = ({ verdict, handling }: Pick<ResponseValidated, 'verdict' | 'handling'>): boolean =>
  verdict === 'quarantined' && handling === 'hold';

/**
 * Calls of a task are mostly alike. Parts equal to the last decision's become the same object, so memory holds them
 * once.
 */
function attemptedOf(recorded: CallDecided, last: Attempted | undefined): Attempted {
  const { agent: _agent, commitments: _commitments, effects: _effects, user: _user, ...decided } = recorded;
  if (last === undefined) return decided;
  return {
    ...decided,
    basis: same(decided.basis, last.basis),
    checks: same(decided.checks, last.checks),
    engines: same(decided.engines, last.engines),
    observed: same(decided.observed, last.observed),
  };
}

const same = <Value>(value: Value, last: Value): Value => (equal(value, last) ? last : value);

/** Characters of an attempt's parts that it does not share with the last one. */
function ownChars(decided: Attempted, last: Attempted | undefined): number {
  let chars = 0;
  for (const part of HEAVY) if (decided[part] !== last?.[part]) chars += charsOf(decided[part]);
  return chars;
}

/** Characters of a response, a release or an outcome beyond its fixed size. */
function toldChars(
  event: Extract<CallsEvent, { type: 'ResponseValidated' | 'ResponseReleased' | 'OutcomeRecorded' }>,
): number {
  if (event.type === 'ResponseValidated') return charsOf([event.data.findings, event.data.label]);
  if (event.type === 'ResponseReleased') return event.actor.length;
  const { effect, control } = event.data;
  return charsOf(effect) + charsOf(control);
}

/** The parts of an attempt whose size depends on the caller. */
const HEAVY = ['basis', 'checks', 'inputs', 'observed', 'operation', 'rule'] as const;

/**
 * Approximate size of a JSON value in characters: its texts, and eight for each other value that is not a container.
 */
function charsOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 8;
  let chars = 0;
  for (const member of Object.values(value)) chars += charsOf(member);
  return chars;
}

const allowedAs = (attempt: AttemptState) => (attempt.decided.decision === 'allow' ? { allowed: attempt } : {});

type Of<Type extends CallsCommand['type']> = Extract<CallsCommand, { type: Type }>;
type Decided = Result<readonly CallsEvent[], Refusal>;

/** Calls of one task. All of them are in memory while the task is in use, about 0.7 kB each. */
export const MAX_CALLS = 100_000;
/** Further characters that these calls may hold. The caller determines the evidence, up to 26 kB for each call. */
const MAX_CALLS_CHARS = 33_554_432;

/** Records the next attempt at a call. A callId has one body. After the response, the record is final. */
function recordDecision(command: Of<'record-decision'>, state: CallsState): Decided {
  const { actor, time, decided, filtered } = command;
  const call = state.calls.get(decided.callId);
  if (call !== undefined && call.requestDigest !== decided.requestDigest) return err(otherBody());
  if (call?.response !== undefined) return err(finished());
  if (call === undefined && state.calls.size >= MAX_CALLS) {
    return err(refusal('too_large', `a task has at most ${MAX_CALLS} calls: open another`));
  }
  // A repeat is refused too, because the attempt that it replaces still counts. The number of calls bounds responses
  // and outcomes.
  if (state.chars >= MAX_CALLS_CHARS) {
    return err(refusal('too_large', 'the calls of the task hold too much evidence: open another'));
  }
  const attempt = (call?.latest.decided.attempt ?? 0) + 1;
  const { agent } = decided;
  // In the order of RFC 8785, which serialises fastest.
  const data = agent === undefined ? { attempt, ...decided } : { agent, attempt, ...decided };
  if (filtered === undefined) return ok([{ type: 'CallDecided', data, actor, time }]);
  return ok([
    { type: 'ContextFiltered', data: { attempt, ...filtered }, actor, time },
    { type: 'CallDecided', data: { ...data, filtered: true }, actor, time },
  ]);
}

function recordResponse(command: Of<'record-response'>, state: CallsState): Decided {
  const { actor, time, validated } = command;
  const call = state.calls.get(validated.callId);
  if (call?.allowed === undefined) return err(notAllowed());
  if (call.response !== undefined) {
    return call.response.validated.requestDigest === validated.requestDigest ? ok([]) : err(otherBody());
  }
  return ok([{ type: 'ResponseValidated', data: validated, actor, time }]);
}

/** Releases a held response once: a second release changes nothing. */
function releaseResponse(command: Of<'release-response'>, state: CallsState): Decided {
  const { actor, time, released } = command;
  const call = state.calls.get(released.callId);
  const validated = call?.response?.validated;
  if (validated === undefined || !isHeld(validated))
    return err(refusal('invalid_transition', 'no response of this call is held'));
  if (call?.released !== undefined) return ok([]);
  return ok([{ type: 'ResponseReleased', data: { ...released, attempt: validated.attempt }, actor, time }]);
}

/** `unknown` may be replaced once. Any other outcome is final. */
function recordOutcome(command: Of<'record-outcome'>, state: CallsState): Decided {
  const { actor, time, outcome, plainDigest } = command;
  const call = state.calls.get(outcome.callId);
  if (call?.allowed === undefined) return err(notAllowed());
  const earlier = call.outcome;
  if (earlier !== undefined) {
    const { requestDigest } = earlier.recorded;
    if (requestDigest === outcome.requestDigest || requestDigest === plainDigest) return ok([]);
    if (earlier.replaced || earlier.recorded.status !== 'unknown') {
      return err(refusal('invalid_transition', 'the outcome has been recorded'));
    }
  }
  return ok([{ type: 'OutcomeRecorded', data: outcome, actor, time }]);
}

/** Approvals that a task may ask for. Each is in memory while the task is in use, about 1 kB. */
export const MAX_APPROVALS = 10_000;

function requestApproval({ actor, time, requested }: Of<'request-approval'>, { approvals }: CallsState): Decided {
  if (approvals.byId.size >= MAX_APPROVALS)
    return err(refusal('too_large', `a task may ask for ${MAX_APPROVALS} approvals: open another`));
  return ok([{ type: 'ApprovalRequested', data: requested, actor, time }]);
}

/** The same verdict again changes nothing. A decision is final. */
function decideApproval({ actor, time, decided }: Of<'decide-approval'>, { approvals }: CallsState): Decided {
  const approval = approvals.byId.get(decided.approvalId);
  if (approval === undefined) return err(refusal('not_found', 'no such approval'));
  if (approval.decided?.data.verdict === decided.verdict) return ok([]);
  const status = approvalStatus(approval, time);
  if (status !== 'pending') return err(refusal('invalid_transition', `the approval is ${status}`));
  return ok([{ type: 'ApprovalDecided', data: decided, actor, time }]);
}

export const otherBody = (): Refusal => refusal('call_conflict', 'this call came with another body before');
/** Refuses another attempt, which would be a second call under the record of the first. */
export const finished = (): Refusal => refusal('call_finished', 'this call has its response: use a new callId');
export const notAllowed = (): Refusal => refusal('invalid_transition', 'no attempt at this call was allowed');
