import { createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';

/** The key set (RFC 7517) that the service publishes. It may hold other kinds of keys. */
export const Jwks = z.object({ keys: z.array(z.looseObject({ kid: z.string().optional() })).max(64) });
export type Jwks = z.infer<typeof Jwks>;

const FeedJwk = z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string().max(64), kid: z.string() });

/** The Ed25519 keys of a set by `kid`, to verify beats with. Throws if the set holds none. */
export function feedKeys(jwks: unknown): ReadonlyMap<string, KeyObject> {
  const keys = new Map<string, KeyObject>();
  for (const jwk of Jwks.parse(jwks).keys) {
    const parsed = FeedJwk.safeParse(jwk);
    if (!parsed.success) continue;
    const { kid, ...key } = parsed.data;
    keys.set(kid, createPublicKey({ key, format: 'jwk' }));
  }
  if (keys.size === 0) throw new Error('the key set holds no Ed25519 key');
  return keys;
}
