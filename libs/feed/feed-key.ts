import { createPublicKey, type KeyObject } from 'node:crypto';
import { digestOf } from '../kernel/digest.js';
import type { FeedKey } from './beat.js';

/** The key of the directive feed as its readers know it: an RFC 8037 JWK, named by its RFC 7638 thumbprint. */
export function feedKeyOf(privateKey: KeyObject): FeedKey {
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  const jwk = { kty: 'OKP', crv: 'Ed25519', x } as const;
  const kid = Buffer.from(digestOf(jwk).slice('sha256:'.length), 'hex').toString('base64url');
  return { kid, privateKey, jwk };
}
