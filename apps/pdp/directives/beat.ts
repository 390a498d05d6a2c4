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

/** The directive feed as it stands: what hosts are told, in the words that they can verify. */
export class Feed {
  constructor(
    private readonly view: ControlView,
    private readonly key: FeedKey,
    private readonly clock: Clock,
    private readonly leaseMs: number,
  ) {}

  /** `issuedAt` is taken before the state is looked at, so a beat never claims to be newer than it is. */
  snapshot(): Beat {
    const issuedAt = toInstant(this.clock.wallMs());
    const { state, revision: epoch } = this.view.directives();
    const active = activeDirectives(state);
    const unsigned = {
      kid: this.key.kid,
      epoch,
      position: String(this.view.position),
      stateRoot: stateRoot(active),
      issuedAt,
      leaseMs: this.leaseMs,
      active: active.map(directiveView),
    };
    const signature = sign(null, Buffer.from(canonicalJson(unsigned)), this.key.privateKey).toString('base64url');
    return { ...unsigned, signature };
  }

  /** The JWK (RFC 7517) that beats are verified with. */
  publicKey(): Readonly<Record<string, string>> {
    return { ...this.key.jwk, kid: this.key.kid, use: 'sig', alg: 'EdDSA' };
  }
}
