import { sign, type KeyObject } from 'node:crypto';
import type { ControlView } from '#libs/decision-point/control-view.js';
import { activeDirectives, stateRoot, type DirectiveState } from '#libs/directive/decider.js';
import { canonicalJson } from '#libs/kernel/canonical-json.js';
import { toInstant, type Clock, type Instant } from '#libs/kernel/time.js';

/** A directive as the wire shows it. */
export interface DirectiveView extends Pick<
  DirectiveState,
  'id' | 'epoch' | 'state' | 'target' | 'reason' | 'issuedBy' | 'issuedAt'
> {
  readonly cause?: string;
  readonly expiresAt?: Instant;
}

/** What hosts learn of directives, signed: Ed25519, base64url, over the JCS of all the other members. */
export interface Beat {
  readonly kid: string;
  readonly epoch: number;
  readonly position: string;
  readonly stateRoot: string;
  readonly issuedAt: Instant;
  readonly leaseMs: number;
  readonly active?: readonly DirectiveView[];
  readonly signature: string;
}

/** The key that the directive feed is signed with. `kid` is its RFC 7638 thumbprint. */
export interface FeedKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  /** RFC 8037 public JWK. */
  readonly jwk: { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string };
}

export function directiveView(directive: DirectiveState): DirectiveView {
  const { requestDigest: _, cause, expiresAt, ...shown } = directive;
  return { ...shown, ...(cause === undefined ? {} : { cause }), ...(expiresAt === undefined ? {} : { expiresAt }) };
}

/** The state of the feed now. `issuedAt` is taken before the state is looked at, so a beat never claims to be newer. */
export function snapshotBeat(view: ControlView, key: FeedKey, clock: Clock, leaseMs: number): Beat {
  const issuedAt = toInstant(clock.wallMs());
  const { state, revision: epoch } = view.directives();
  const active = activeDirectives(state);
  const unsigned = {
    kid: key.kid,
    epoch,
    position: String(view.position),
    stateRoot: stateRoot(active),
    issuedAt,
    leaseMs,
    active: active.map(directiveView),
  };
  const signature = sign(null, Buffer.from(canonicalJson(unsigned)), key.privateKey).toString('base64url');
  return { ...unsigned, signature };
}
