import { sign, verify, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { DirectiveState } from '../directive/decider.js';
import { Target } from '../directive/target.js';
import { canonicalJson } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { DigestText, InstantText, Uuid } from '../vocabulary/ids.js';

/** Most active directives in a snapshot. Hosts refuse a larger one. */
export const MAX_ACTIVE = 100_000;

/** A directive on the wire. Hosts ignore members that they do not know. */
export const DirectiveView = z.object({
  id: Uuid,
  /** The epoch in which it was issued. */
  epoch: z.int().min(1),
  state: z.enum(['active', 'lifted']),
  target: Target,
  reason: z.string(),
  issuedBy: z.string(),
  issuedAt: InstantText,
  /** The id of the event that caused it: a suspension or a revocation. */
  cause: z.string().optional(),
  expiresAt: InstantText.optional(),
});
export type DirectiveView = z.infer<typeof DirectiveView>;

/**
 * The message about directives to hosts, the same object over SSE, gRPC and Kafka. With `active` it is a snapshot, with
 * `directive` a change, with neither a heartbeat. `stateRoot` is the root of the active directives at `epoch`.
 */
export const Beat = z.object({
  kid: z.string().min(1).max(128),
  epoch: z.int().min(0),
  position: z.string().regex(/^\d{1,20}$/, 'needs a position'),
  stateRoot: DigestText,
  /** Taken before the head of `directives` was read: a beat never claims to be newer than it is. */
  issuedAt: InstantText,
  leaseMs: z.int().min(1),
  active: z.array(DirectiveView).max(MAX_ACTIVE).optional(),
  directive: DirectiveView.optional(),
  /** Ed25519, base64url, over the JCS of all the other members. */
  signature: z.string().max(128),
});
export type Beat = z.infer<typeof Beat>;

/** The key that the directive feed is signed with. `kid` is its RFC 7638 thumbprint. */
export interface FeedKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  /** RFC 8037 public JWK. */
  readonly jwk: { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string };
}

const texts = new WeakMap<Beat, string>();

/** Signs a beat. `activeText` is the JCS (RFC 8785) of `active`, if it is known already. */
export function signBeat(
  { active, ...said }: Omit<Beat, 'kid' | 'signature'>,
  { kid, privateKey }: FeedKey,
  activeText?: string,
): Beat {
  // `active` sorts before all other members, so its long text is written once.
  const head = active === undefined ? '{' : `{"active":${activeText ?? canonicalJson(active)},`;
  const written = (members: object): string => head + canonicalJson(members).slice(1);
  const rest = { kid, ...said };
  const signature = sign(null, Buffer.from(written(rest)), privateKey).toString('base64url');
  const beat = defined({ ...rest, active, signature });
  texts.set(beat, written({ ...rest, signature }));
  return beat;
}

/** A beat as JSON in one line. */
export const beatText = (beat: Beat): string => texts.get(beat) ?? canonicalJson(beat);

/**
 * Whether one of the feed's keys signed exactly this object. Give the beat as it was received, before unknown members are
 * dropped. `keys` are by `kid`.
 */
export function isSigned(beat: Readonly<Record<string, unknown>>, keys: ReadonlyMap<string, KeyObject>): boolean {
  const { signature, ...unsigned } = beat;
  const key = typeof beat['kid'] === 'string' ? keys.get(beat['kid']) : undefined;
  if (key === undefined || typeof signature !== 'string') return false;
  return verify(null, signedBytes(unsigned), key, Buffer.from(signature, 'base64url'));
}

const signedBytes = (unsigned: object): Buffer => Buffer.from(canonicalJson(unsigned));

export function directiveView(directive: DirectiveState): DirectiveView {
  const { requestDigest: _, cause, expiresAt, ...shown } = directive;
  return defined({ ...shown, cause, expiresAt });
}
