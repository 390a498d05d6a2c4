import { createPrivateKey, createPublicKey, generateKeyPairSync, hkdfSync } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf } from '../../../libs/kernel/digest.js';
import type { InstallationSecret } from '../tokens.js';
import type { FeedKey } from '../../../libs/feed/beat.js';

/** The signing key of the directive feed, made on the first start and kept in the data folder. */
export function openFeedKey(dataDir: string): FeedKey {
  const file = join(dataDir, 'feed-key.pem');
  const privateKey = createPrivateKey(readOrMake(file));
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  const jwk = { kty: 'OKP', crv: 'Ed25519', x } as const;
  const kid = Buffer.from(digestOf(jwk).slice('sha256:'.length), 'hex').toString('base64url');
  return { kid, privateKey, jwk };
}

/** A secret of this installation for other purposes than signing: RFC 5869 HKDF of the private key. */
export function installationSecret({ privateKey }: FeedKey): InstallationSecret {
  const key = privateKey.export({ type: 'pkcs8', format: 'der' });
  return new Uint8Array(hkdfSync('sha256', key, '', 'sallyport installation secret', 32));
}

function readOrMake(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
  }
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const descriptor = openSync(file, 'wx', 0o600);
  try {
    writeSync(descriptor, pem);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return pem;
}
