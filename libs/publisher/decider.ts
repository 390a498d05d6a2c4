import { z } from 'zod';
import type { Decider } from '../kernel/decider.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { Instant } from '../kernel/time.js';
import { InstantText, KeyId, Label, NameId, Reason, Uuid } from '../vocabulary/ids.js';
import { KeyAlgorithm, ReviewVerdict } from '../vocabulary/words.js';

/** Keys of one publisher, ended ones included: each signature without a known key id is tried with all of them. */
export const MAX_KEYS = 32;

/** Facts of stream `publisher-<id>`. `publicKey` is the PEM of an SPKI (RFC 7468); a private key is never recorded. */
export const PublisherRegistered = z.strictObject({ publisher: NameId, name: Label });
export const PublisherKeyProposed = z.strictObject({
  publisher: NameId,
  keyId: KeyId,
  algorithm: KeyAlgorithm,
  publicKey: z.string(),
  notAfter: InstantText.optional(),
});
export const PublisherKeyReviewed = z.strictObject({
  publisher: NameId,
  keyId: KeyId,
  verdict: ReviewVerdict,
  reason: Reason,
});
/** `directiveId` names the directive that stops what rests on the key; absent if nothing could rest on it. */
export const PublisherKeyRevoked = z.strictObject({
  publisher: NameId,
  keyId: KeyId,
  reason: Reason,
  directiveId: Uuid.optional(),
});
export const PublisherRevoked = z.strictObject({ publisher: NameId, reason: Reason, directiveId: Uuid });

export const publisherEventSchemas = {
  PublisherRegistered,
  PublisherKeyProposed,
  PublisherKeyReviewed,
  PublisherKeyRevoked,
  PublisherRevoked,
} as const;

type Fact<Type extends keyof typeof publisherEventSchemas> = {
  readonly type: Type;
  readonly data: z.infer<(typeof publisherEventSchemas)[Type]>;
};

/** A fact with its actor and time. */
export type PublisherEvent = {
  [Type in keyof typeof publisherEventSchemas]: Fact<Type> & { readonly actor: string; readonly time: Instant };
}[keyof typeof publisherEventSchemas];

/** A key as its events say. Its expiry is a matter of the time at which it is asked: `keyStatus`. */
export interface PublisherKey {
  readonly keyId: string;
  readonly algorithm: KeyAlgorithm;
  readonly publicKey: string;
  readonly notAfter?: Instant | undefined;
  readonly proposedBy: string;
  readonly reviewedBy?: string | undefined;
  readonly state: 'pending' | 'active' | 'rejected' | 'revoked';
}

export interface PublisherState {
  readonly id: string;
  readonly name: string;
  readonly registeredBy: string;
  readonly revoked: boolean;
  readonly keys: ReadonlyMap<string, PublisherKey>;
}

export type MaybePublisher = PublisherState | undefined;

export type KeyStatus = PublisherKey['state'] | 'expired';

/** The status of a key at an instant. `notAfter` at or before it has expired; a revoked publisher has no other keys. */
export function keyStatus({ revoked }: PublisherState, key: PublisherKey, at: Instant): KeyStatus {
  if (revoked) return 'revoked';
  return key.state === 'active' && key.notAfter !== undefined && key.notAfter <= at ? 'expired' : key.state;
}

interface Caused {
  readonly actor: string;
  readonly time: Instant;
}

export type PublisherCommand = Caused &
  (
    | { readonly type: 'register'; readonly publisher: string; readonly name: string }
    | {
        readonly type: 'propose-key';
        readonly key: Pick<PublisherKey, 'keyId' | 'algorithm' | 'publicKey' | 'notAfter'>;
      }
    | {
        readonly type: 'review-key';
        readonly keyId: string;
        readonly verdict: ReviewVerdict;
        readonly reason: string;
      }
    | { readonly type: 'revoke-key'; readonly keyId: string; readonly reason: string; readonly directiveId: string }
    | { readonly type: 'revoke'; readonly reason: string; readonly directiveId: string }
  );

export const publisherDecider: Decider<MaybePublisher, PublisherCommand, PublisherEvent, Refusal> = {
  initialState: () => undefined,
  evolve: evolvePublisher,
  decide(command, state) {
    if (command.type === 'register') return register(command, state);
    if (state === undefined) return err(refusal('not_found', 'no such publisher'));
    switch (command.type) {
      case 'propose-key':
        return proposeKey(command, state);
      case 'review-key':
        return reviewKey(command, state);
      case 'revoke-key':
        return revokeKey(command, state);
      case 'revoke':
        return revoke(command, state);
    }
  },
};

type Decided = Result<readonly PublisherEvent[], Refusal>;
type Of<Type extends PublisherCommand['type']> = Extract<PublisherCommand, { type: Type }>;

const by = ({ actor, time }: Caused): Caused => ({ actor, time });

function register(command: Of<'register'>, state: MaybePublisher): Decided {
  const { publisher, name } = command;
  if (state !== undefined) {
    return state.name === name && !state.revoked
      ? ok([])
      : err(refusal('already_exists', 'an id is given once, also after a revocation'));
  }
  return ok([{ type: 'PublisherRegistered', data: { publisher, name }, ...by(command) }]);
}

function proposeKey(command: Of<'propose-key'>, state: PublisherState): Decided {
  if (state.revoked) return err(refusal('invalid_transition', 'the publisher is revoked'));
  const { keyId, algorithm, publicKey, notAfter } = command.key;
  const known = state.keys.get(keyId);
  if (known !== undefined) {
    const isSame = known.publicKey === publicKey && known.algorithm === algorithm && known.notAfter === notAfter;
    return isSame ? ok([]) : err(refusal('already_exists', 'another key has this id, and a key id is given once'));
  }
  // A revoked key would come back under another id.
  if ([...state.keys.values()].some((key) => key.publicKey === publicKey))
    return err(refusal('already_exists', 'the publisher has this very key under another id'));
  if (state.keys.size >= MAX_KEYS) return err(refusal('too_large', `a publisher has at most ${MAX_KEYS} keys`));
  if (notAfter !== undefined && notAfter <= command.time) {
    const errors = [{ path: '/notAfter', message: 'is in the past' }];
    return err(refusal('malformed_request', 'the key has expired already', errors));
  }
  const expiry = notAfter === undefined ? {} : { notAfter };
  const data = { publisher: state.id, keyId, algorithm, publicKey, ...expiry };
  return ok([{ type: 'PublisherKeyProposed', data, ...by(command) }]);
}

function reviewKey(command: Of<'review-key'>, state: PublisherState): Decided {
  const key = state.keys.get(command.keyId);
  if (key === undefined) return err(refusal('not_found', 'the publisher has no such key'));
  if (key.proposedBy === command.actor) return err(refusal('self_review', 'who proposed a key cannot review it'));
  const status = keyStatus(state, key, command.time);
  if (status !== 'pending') return err(refusal('invalid_transition', `the key is ${status}`));
  const { keyId, verdict, reason } = command;
  return ok([{ type: 'PublisherKeyReviewed', data: { publisher: state.id, keyId, verdict, reason }, ...by(command) }]);
}

function revokeKey(command: Of<'revoke-key'>, state: PublisherState): Decided {
  const key = state.keys.get(command.keyId);
  if (key === undefined) return err(refusal('not_found', 'the publisher has no such key'));
  if (state.revoked || key.state === 'revoked') return err(refusal('invalid_transition', 'the key is revoked'));
  const { keyId, reason, directiveId } = command;
  const stop = key.state === 'active' ? { directiveId } : {};
  return ok([{ type: 'PublisherKeyRevoked', data: { publisher: state.id, keyId, reason, ...stop }, ...by(command) }]);
}

function revoke(command: Of<'revoke'>, state: PublisherState): Decided {
  if (state.revoked) return err(refusal('invalid_transition', 'the publisher is revoked'));
  const { reason, directiveId } = command;
  return ok([{ type: 'PublisherRevoked', data: { publisher: state.id, reason, directiveId }, ...by(command) }]);
}

function evolvePublisher(state: MaybePublisher, event: PublisherEvent): MaybePublisher {
  const { type, data, actor } = event;
  if (type === 'PublisherRegistered')
    return { id: data.publisher, name: data.name, registeredBy: actor, revoked: false, keys: new Map() };
  if (state === undefined) throw new Error(`${type} before PublisherRegistered`);
  switch (type) {
    case 'PublisherKeyProposed': {
      const { publisher: _, ...key } = data;
      return withKey(state, { ...key, proposedBy: actor, state: 'pending' });
    }
    case 'PublisherKeyReviewed':
      return withKey(state, {
        ...keyOf(state, data.keyId),
        reviewedBy: actor,
        state: data.verdict === 'approved' ? 'active' : 'rejected',
      });
    case 'PublisherKeyRevoked':
      return withKey(state, { ...keyOf(state, data.keyId), state: 'revoked' });
    case 'PublisherRevoked':
      return { ...state, revoked: true };
  }
}

const withKey = (state: PublisherState, key: PublisherKey): PublisherState => ({
  ...state,
  keys: new Map(state.keys).set(key.keyId, key),
});

function keyOf(state: PublisherState, keyId: string): PublisherKey {
  const key = state.keys.get(keyId);
  if (key === undefined) throw new Error(`a fact about an unknown key of ${state.id}`);
  return key;
}
