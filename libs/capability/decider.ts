import type { Decider } from '#libs/kernel/decider.js';
import { refusal, type Refusal } from '#libs/kernel/refusal.js';
import { err, ok, type Result } from '#libs/kernel/result.js';
import type { Instant } from '#libs/kernel/time.js';
import type { ReasonCode, ReviewVerdict } from '#libs/vocabulary/words.js';
import type { CapabilityEvent } from './events.js';
import { observe, type ObserveCommand } from './observe.js';
import { evolveCapability, type CapabilityState, type MaybeCapability, type VersionState } from './state.js';

type EventData<Type extends CapabilityEvent['type']> = Extract<CapabilityEvent, { type: Type }>['data'];

interface Caused {
  readonly actor: string;
  readonly time: Instant;
}

export type CapabilityCommand = Caused &
  (
    | {
        readonly type: 'register';
        readonly registration: EventData<'CapabilityRegistered'>;
        readonly proposal: EventData<'VersionProposed'>;
      }
    | { readonly type: 'propose'; readonly proposal: EventData<'VersionProposed'> }
    | {
        readonly type: 'review';
        readonly version: string;
        readonly verdict: ReviewVerdict;
        readonly reason: string;
        readonly exceptions: readonly ReasonCode[];
      }
    | {
        readonly type: 'suspend' | 'revoke';
        readonly version: string;
        readonly reason: string;
        /** The id that the directive of this stop will have. */
        readonly directiveId: string;
      }
    | { readonly type: 'reinstate'; readonly version: string; readonly reason: string }
    | ObserveCommand
  );

const MAX_VERSIONS = 1000;

export const capabilityDecider: Decider<MaybeCapability, CapabilityCommand, CapabilityEvent, Refusal> = {
  initialState: () => undefined,
  evolve: evolveCapability,
  decide(command, state) {
    if (command.type === 'register') return register(command, state);
    if (state === undefined) return err(refusal('not_found', 'no such capability'));
    if (command.type === 'propose') return propose(command, state);
    const version = state.versions.get(command.version);
    if (version === undefined) return err(refusal('not_found', 'no such version'));
    switch (command.type) {
      case 'review':
        return review(command, state, version);
      case 'suspend':
        return suspend(command, state, version);
      case 'reinstate':
        return reinstate(command, state, version);
      case 'revoke':
        return revoke(command, state, version);
      case 'observe':
        return ok(observe(command, state, version));
    }
  },
};

type Decided = Result<readonly CapabilityEvent[], Refusal>;
type Of<Type extends CapabilityCommand['type']> = Extract<CapabilityCommand, { type: Type }>;

const by = (command: Caused): Caused => ({ actor: command.actor, time: command.time });

function register(command: Of<'register'>, state: MaybeCapability): Decided {
  const { registration, proposal } = command;
  if (state !== undefined) {
    return state.requestDigest === registration.requestDigest
      ? ok([])
      : err(refusal('already_exists', 'another capability has this id'));
  }
  return ok([
    { type: 'CapabilityRegistered', data: registration, ...by(command) },
    { type: 'VersionProposed', data: proposal, ...by(command) },
  ]);
}

function propose(command: Of<'propose'>, state: CapabilityState): Decided {
  const existing = state.versions.get(command.proposal.version);
  if (existing !== undefined) {
    return existing.requestDigest === command.proposal.requestDigest
      ? ok([])
      : err(refusal('already_exists', 'this version was proposed with other content; versions are immutable'));
  }
  if (state.versions.size >= MAX_VERSIONS)
    return err(refusal('too_large', `a capability has at most ${MAX_VERSIONS} versions`));
  return ok([{ type: 'VersionProposed', data: command.proposal, ...by(command) }]);
}

function review(command: Of<'review'>, state: CapabilityState, version: VersionState): Decided {
  if (version.proposedBy === command.actor)
    return err(refusal('self_review', 'who proposed a version cannot review it'));
  if (version.status !== 'pending') return err(refusal('invalid_transition', `the version is ${version.status}`));
  const unacceptable = command.exceptions.filter((code) => !mayExcept(version, code));
  if (unacceptable.length > 0) {
    const errors = unacceptable.map((code) => ({ path: '/exceptions', message: `${code} cannot be excepted here` }));
    return err(refusal('malformed_request', 'an exception is not acceptable', errors));
  }
  const { verdict, reason } = command;
  const exceptions = verdict === 'approved' ? [...new Set(command.exceptions)].sort() : [];
  return ok([
    {
      type: 'VersionReviewed',
      data: { capability: state.id, version: version.version, verdict, reason, exceptions },
      ...by(command),
    },
  ]);
}

/** The weaknesses that a reviewer may accept by name. */
function mayExcept(version: VersionState, code: ReasonCode): boolean {
  if (code === 'signature_missing') return true;
  if (code !== 'server_unauthenticated' || version.server.method !== 'none') return false;
  return Object.values(version.operations).every(({ effects }) => effects.every((effect) => effect === 'read'));
}

function suspend(command: Of<'suspend' | 'revoke'>, state: CapabilityState, version: VersionState): Decided {
  if (version.status !== 'approved') return err(refusal('invalid_transition', `the version is ${version.status}`));
  const { reason, directiveId } = command;
  const data = { capability: state.id, version: version.version, reason, cause: 'decision' as const, directiveId };
  return ok([{ type: 'VersionSuspended', data, ...by(command) }]);
}

function reinstate(command: Of<'reinstate'>, state: CapabilityState, version: VersionState): Decided {
  if (version.status !== 'suspended' && (version.status !== 'approved' || version.suspendedFor.size === 0)) {
    return err(refusal('invalid_transition', `the version is ${version.status}`));
  }
  if (version.proposedBy === command.actor || version.suspension?.by === command.actor) {
    return err(refusal('self_review', 'the one who proposed or suspended a version cannot reinstate it'));
  }
  if (version.suspendedFor.has(command.actor)) {
    return err(refusal('self_review', 'a host that reported the drift cannot reinstate the version'));
  }
  const stop = version.suspension === undefined ? {} : { directiveId: version.suspension.directiveId };
  const data = { capability: state.id, version: version.version, reason: command.reason, ...stop };
  return ok([{ type: 'VersionReinstated', data, ...by(command) }]);
}

function revoke(command: Of<'suspend' | 'revoke'>, state: CapabilityState, version: VersionState): Decided {
  if (version.status === 'revoked') return err(refusal('invalid_transition', 'the version is revoked'));
  const { reason, directiveId } = command;
  const data = { capability: state.id, version: version.version, reason, directiveId };
  return ok([{ type: 'VersionRevoked', data, ...by(command) }]);
}
