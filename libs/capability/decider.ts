import { canonicalJson } from '../kernel/canonical-json.js';
import type { Decider } from '../kernel/decider.js';
import { defined } from '../kernel/defined.js';
import { exceptionRequired, refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { Instant } from '../kernel/time.js';
import type { Handling } from '../vocabulary/quarantine.js';
import type { ExceptionCode, ReviewVerdict } from '../vocabulary/words.js';
import type { CapabilityEvent } from './events.js';
import { mayExcept, unenforcedSchemas, weaknessesOf } from './exceptions.js';
import { observe, type ObserveCommand } from './observe.js';
import { signatureOf, type PublisherOf } from './signature.js';
import {
  evolveCapability,
  type CapabilityState,
  type MaybeCapability,
  type VerifiedSignature,
  type VersionState,
} from './state.js';

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
        readonly found?: VerifiedSignature | undefined;
      }
    | {
        readonly type: 'propose';
        readonly proposal: EventData<'VersionProposed'>;
        /** The signers of the proposal. Absent if it has no envelope. */
        readonly found?: VerifiedSignature | undefined;
      }
    | {
        readonly type: 'review';
        readonly version: string;
        readonly verdict: ReviewVerdict;
        readonly reason: string;
        readonly exceptions: readonly ExceptionCode[];
        readonly quarantine?: Handling | undefined;
        /** Looks up who may have signed the version. Absent: nobody. */
        readonly publisherOf?: PublisherOf;
      }
    | { readonly type: 'verify'; readonly version: string; readonly found: VerifiedSignature }
    | { readonly type: 'propose-publishers'; readonly publishers: readonly string[]; readonly reason: string }
    | { readonly type: 'review-publishers'; readonly verdict: ReviewVerdict; readonly reason: string }
    | {
        readonly type: 'amend';
        readonly version: string;
        readonly add: readonly ExceptionCode[];
        readonly remove: readonly ExceptionCode[];
        readonly reason: string;
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
    if (command.type === 'propose-publishers') return proposePublishers(command, state);
    if (command.type === 'review-publishers') return reviewPublishers(command, state);
    const version = state.versions.get(command.version);
    if (version === undefined) return err(refusal('not_found', 'no such version'));
    switch (command.type) {
      case 'verify':
        return verify(command, state, version);
      case 'review':
        return review(command, state, version);
      case 'amend':
        return amend(command, state, version);
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
  const { registration } = command;
  if (state !== undefined) {
    return state.requestDigest === registration.requestDigest
      ? ok([])
      : err(refusal('already_exists', 'another capability has this id'));
  }
  return ok([{ type: 'CapabilityRegistered', data: registration, ...by(command) }, ...proposedEvents(command)]);
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
  return ok(proposedEvents(command));
}

function proposedEvents({ proposal, found, ...command }: Of<'register' | 'propose'>): CapabilityEvent[] {
  const { capability, version } = proposal;
  const proposed = { type: 'VersionProposed' as const, data: proposal, ...by(command) };
  return found === undefined ? [proposed] : [proposed, verified(capability, version, found, command)];
}

const verified = (
  capability: string,
  version: string,
  { signers, fault, tried }: VerifiedSignature,
  command: Caused,
): CapabilityEvent => ({
  type: 'SignatureVerified',
  data: {
    capability,
    version,
    signers: signers.map((each) => ({ ...each })),
    ...defined({ fault }),
    tried: tried.map((each) => ({ ...each })),
  },
  ...by(command),
});

/** Records the signers of a version; nothing if they are known. */
function verify({ found, ...command }: Of<'verify'>, state: CapabilityState, version: VersionState): Decided {
  if (version.signature !== undefined && canonicalJson(version.signature) === canonicalJson(found)) return ok([]);
  return ok([verified(state.id, version.version, found, command)]);
}

function proposePublishers(command: Of<'propose-publishers'>, state: CapabilityState): Decided {
  const publishers = [...new Set(command.publishers)];
  if (sameSet(publishers, state.proposedPublishers?.publishers ?? state.publishers)) return ok([]);
  const data = { capability: state.id, publishers, reason: command.reason };
  return ok([{ type: 'PublishersProposed', data, ...by(command) }]);
}

function reviewPublishers(command: Of<'review-publishers'>, state: CapabilityState): Decided {
  const proposed = state.proposedPublishers;
  if (proposed === undefined) return err(refusal('invalid_transition', 'no change of the publishers waits'));
  if (proposed.by === command.actor)
    return err(refusal('self_review', 'who proposed a change of the publishers cannot review it'));
  const { verdict, reason } = command;
  return ok([{ type: 'PublishersReviewed', data: { capability: state.id, verdict, reason }, ...by(command) }]);
}

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((each) => b.includes(each));

function review(command: Of<'review'>, state: CapabilityState, version: VersionState): Decided {
  if (version.proposedBy === command.actor)
    return err(refusal('self_review', 'who proposed a version cannot review it'));
  if (version.status !== 'pending') return err(refusal('invalid_transition', `the version is ${version.status}`));
  const unacceptable = command.exceptions.filter((code) => !mayExcept(version, code));
  if (unacceptable.length > 0) return err(unacceptableExceptions('/exceptions', unacceptable));
  const { verdict, reason, quarantine, publisherOf = () => undefined } = command;
  const signature = signatureOf(state, version, publisherOf, command.time);
  const needed = weaknessesOf(version, signature).filter((code) => !command.exceptions.includes(code));
  if (verdict === 'approved' && needed.length > 0) return err(exceptionRequired(needed, unenforcedSchemas(version)));
  const exceptions = verdict === 'approved' ? [...new Set(command.exceptions)].sort() : [];
  return ok([
    {
      type: 'VersionReviewed',
      data: defined({ capability: state.id, version: version.version, verdict, reason, exceptions, quarantine }),
      ...by(command),
    },
  ]);
}

/** Changes the accepted weaknesses of an approved version. Without a needed exception its calls are denied. */
function amend(command: Of<'amend'>, state: CapabilityState, version: VersionState): Decided {
  if (version.proposedBy === command.actor) {
    return err(refusal('self_review', 'the proposer of a version cannot change its exceptions'));
  }
  if (version.status !== 'approved') return err(refusal('invalid_transition', `the version is ${version.status}`));
  const accepted = version.review?.exceptions ?? [];
  const { add, remove, reason } = command;
  const unacceptable = add.filter((code) => !mayExcept(version, code) || remove.includes(code));
  if (unacceptable.length > 0) return err(unacceptableExceptions('/add', unacceptable));
  const unknown = remove.filter((code) => !mayExcept(version, code) && !accepted.includes(code));
  if (unknown.length > 0) return err(unacceptableExceptions('/remove', unknown));
  const added = [...new Set(add)].filter((code) => !accepted.includes(code)).sort();
  const removed = [...new Set(remove)].filter((code) => accepted.includes(code)).sort();
  if (added.length === 0 && removed.length === 0) return ok([]);
  const data = { capability: state.id, version: version.version, added, removed, reason };
  return ok([{ type: 'ExceptionsAmended', data, ...by(command) }]);
}

function unacceptableExceptions(path: string, codes: readonly ExceptionCode[]): Refusal {
  const errors = codes.map((code) => ({ path, message: `${code} cannot be excepted here` }));
  return refusal('malformed_request', 'an exception is not acceptable', errors);
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
