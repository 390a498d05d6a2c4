import { sign, verify, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { DirectiveState } from '../directive/decider.js';
import { Target } from '../directive/target.js';
import { canonicalJson, isJsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { DigestText, InstantText, Uuid } from '../vocabulary/ids.js';

/** Most active directives in a snapshot. Hosts refuse a larger one. */
export const MAX_ACTIVE = 100_000;

/** A challenge for acknowledgements: 128 bits in lower-case hex. */
export const Nonce = z.string().regex(/^[0-9a-f]{32}$/, 'needs 32 lower-case hex digits');

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
 * The signed content of a beat. Hosts ignore members that they do not know. `active` makes it a snapshot, `directive` a
 * change, neither a heartbeat. `stateRoot` is the root of the active directives at `epoch`.
 */
export const BeatContent = z.object({
  kid: z.string().min(1).max(128),
  /**
   * Of the log. A log that was restored from a backup has a greater one, and its epochs cannot be compared with earlier
   * ones. Older services send none, which counts as 0.
   */
  incarnation: z.int().min(0).optional(),
  epoch: z.int().min(0),
  position: z.string().regex(/^\d{1,20}$/, 'needs a position'),
  stateRoot: DigestText,
  /** Taken before the head of `directives` was read: a beat never claims to be newer than it is. */
  issuedAt: InstantText,
  leaseMs: z.int().min(1),
  /** For the proof in an acknowledgement. Absent from older services. */
  nonce: Nonce.optional(),
  active: z.array(DirectiveView).max(MAX_ACTIVE).optional(),
  directive: DirectiveView.optional(),
});
export type BeatContent = z.infer<typeof BeatContent>;

/** The message about directives to hosts, the same object over SSE, gRPC and Kafka. */
export const Beat = BeatContent.extend({
  /** Ed25519 (RFC 8032), base64url, over the JCS (RFC 8785) of all other members, for hosts that read no `signed`. */
  signature: z.string().max(128),
  /**
   * The exact bytes that were signed, with their own signature: a JWS in compact form (RFC 7515, RFC 8037), whose payload is
   * the JCS of the content. Absent from older services.
   */
  signed: z.string().optional(),
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
  { active, ...said }: Omit<BeatContent, 'kid'>,
  { kid, privateKey }: FeedKey,
  activeText?: string,
): Beat {
  const rest = { kid, ...said };
  // `active` sorts before all other members, so its long text is written once.
  const head = active === undefined ? '{' : `{"active":${activeText ?? canonicalJson(active)},`;
  const written = (members: object): string => head + canonicalJson(members).slice(1);
  const signatureOf = (text: string): string => sign(null, Buffer.from(text), privateKey).toString('base64url');
  const header = encoded(JSON.stringify({ alg: ALGORITHM, kid }));
  const input = `${header}.${encoded(written(rest))}`;
  const signed = `${input}.${signatureOf(input)}`;
  const text = written({ ...rest, signed });
  const signature = signatureOf(text);
  const beat = defined({ ...rest, active, signature, signed });
  texts.set(beat, `${text.slice(0, -1)},"signature":"${signature}"}`);
  return beat;
}

/** Of the JWS in `signed` (RFC 8037). */
const ALGORITHM = 'EdDSA';

const encoded = (text: string): string => Buffer.from(text).toString('base64url');

/** A beat as JSON in one line. */
export const beatText = (beat: Beat): string => texts.get(beat) ?? canonicalJson(beat);

/**
 * The content of a beat that one of the feed's keys signed; undefined if none did. Its shape is not yet checked. It comes
 * from `signed` alone, because the other members may say something else. A beat of an older service has no `signed`: its
 * content is all members but `signature`. Give the beat as it was received. Attacker-controlled. `keys` are by `kid`.
 */
export function verifiedContent(
  { signature, signed, ...members }: Readonly<Record<string, unknown>>,
  keys: ReadonlyMap<string, KeyObject>,
): Readonly<Record<string, unknown>> | undefined {
  try {
    if (signed !== undefined) return typeof signed === 'string' ? payloadOf(signed, keys) : undefined;
    const key = typeof members['kid'] === 'string' ? keys.get(members['kid']) : undefined;
    if (key === undefined || typeof signature !== 'string') return undefined;
    const bytes = Buffer.from(canonicalJson(members));
    return verify(null, bytes, key, Buffer.from(signature, 'base64url')) ? members : undefined;
  } catch {
    // A value without a canonical form cannot have been signed.
    return undefined;
  }
}

/** The JSON object in a JWS of one of the keys; undefined if none made it. Throws if a part of it is no JSON. */
function payloadOf(jws: string, keys: ReadonlyMap<string, KeyObject>): Readonly<Record<string, unknown>> | undefined {
  const [header = '', payload = '', signature = '', ...rest] = jws.split('.', 4);
  const { alg, kid, ...others } = JSON.parse(decoded(header)) as Readonly<Record<string, unknown>>;
  const key = typeof kid === 'string' ? keys.get(kid) : undefined;
  // A member of the header that is not known here could change the meaning (`crit`, `b64`).
  if (key === undefined || alg !== ALGORITHM || rest.length > 0 || Object.keys(others).length > 0) return undefined;
  const input = Buffer.from(`${header}.${payload}`);
  if (!verify(null, input, key, Buffer.from(signature, 'base64url'))) return undefined;
  const content: unknown = JSON.parse(decoded(payload));
  return isJsonObject(content) ? content : undefined;
}

const decoded = (text: string): string => Buffer.from(text, 'base64url').toString();

export function directiveView(directive: DirectiveState): DirectiveView {
  const { requestDigest: _, cause, expiresAt, ...shown } = directive;
  return defined({ ...shown, cause, expiresAt });
}
