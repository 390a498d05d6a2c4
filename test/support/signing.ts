import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { canonicalJson, type Json } from '../../libs/kernel/canonical-json.js';
import { digestOf } from '../../libs/kernel/digest.js';
import { MANIFEST_TYPE } from '../../libs/trust/manifest-signature.js';
import { definitionDigestOf } from './calls.js';
import { unique } from './actors.js';
import type { Answered, TestService } from './service.js';
import { expecting, registration } from './world.js';

/** Publishers with keys of their own, and envelopes as another implementation would write them. */

export interface SigningKey {
  readonly keyId: string;
  readonly algorithm: 'ed25519' | 'ecdsa-p256';
  readonly publicKey: string;
  readonly privateKey: KeyObject;
}

export function newKey(algorithm: SigningKey['algorithm'] = 'ed25519', keyId = unique('key')): SigningKey {
  const { publicKey, privateKey } =
    algorithm === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return { keyId, algorithm, publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(), privateKey };
}

/** The payload for a proposal of a capability, by `contract.md`: written out here, and not by the code under test. */
export function statementFor(id: string, version: Answered, more: Record<string, unknown> = {}): Answered {
  const { kind, category, owner } = registration(id);
  return {
    capability: id,
    kind,
    category,
    owner,
    version: version.version,
    source: version.source,
    definitionDigest: definitionDigestOf(version.definition),
    manifest: version.manifest,
    ...(version.supplyChain === undefined ? {} : { supplyChainDigest: digestOf(version.supplyChain) }),
    ...more,
  };
}

export const bytesOf = (statement: Answered): Buffer => Buffer.from(canonicalJson(statement as Json));

/** The signature of a key over a payload, as base64. */
export function signatureBy({ algorithm, privateKey }: SigningKey, payload: Buffer, type = MANIFEST_TYPE): string {
  const head = Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `);
  return sign(algorithm === 'ed25519' ? null : 'sha256', Buffer.concat([head, payload]), privateKey).toString('base64');
}

export const envelopeOf = (
  payload: Buffer,
  signatures: readonly Answered[],
  payloadType = MANIFEST_TYPE,
): Answered => ({
  payloadType,
  payload: payload.toString('base64'),
  signatures,
});

/** A proposal with the signatures of some keys. */
export function signed(id: string, version: Answered, ...keys: readonly SigningKey[]): Answered {
  const payload = bytesOf(statementFor(id, version));
  const signatures = keys.map((key) => ({ keyid: key.keyId, sig: signatureBy(key, payload) }));
  return { ...version, signature: envelopeOf(payload, signatures) };
}

export async function newPublisher(service: TestService): Promise<string> {
  const id = unique('publisher');
  expecting(201, await service.call('registrar', 'POST', '/v1/publishers', { id, name: 'A publisher' }));
  return id;
}

export const keyPath = (publisher: string, keyId: string): string => `/v1/publishers/${publisher}/keys/${keyId}`;

/** Registers a key; `verdict` reviews it. */
export async function addKey(
  service: TestService,
  publisher: string,
  { keyId, algorithm, publicKey }: SigningKey,
  more: { notAfter?: string; verdict?: 'approved' | 'rejected' | 'none' } = {},
): Promise<void> {
  const { verdict = 'approved', ...rest } = more;
  const body = { keyId, algorithm, publicKey, ...rest };
  expecting(201, await service.call('registrar', 'POST', `/v1/publishers/${publisher}/keys`, body));
  if (verdict === 'none') return;
  const review = { verdict, reason: 'called them' };
  expecting(200, await service.call('reviewer', 'POST', `${keyPath(publisher, keyId)}/review`, review));
}
