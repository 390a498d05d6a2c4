import assert from 'node:assert/strict';
import { readJson } from '../../test/golden/files.js';
import { newKey } from '../../test/support/signing.js';
import { test } from '../../test/support/testing.js';
import type { PublisherState } from '../publisher/decider.js';
import { bytesOfBase64, preAuthEncoding, readPublicKey, type Envelope } from './dsse.js';
import { findSigners, type ManifestStatement } from './manifest-signature.js';

interface Vector {
  readonly by: string;
  readonly algorithm: 'ed25519' | 'ecdsa-p256';
  readonly publicKey: string;
  readonly envelope: Envelope;
}

const { statement, vectors } = readJson<{ statement: ManifestStatement; vectors: Vector[] }>('dsse', 'vectors.json');

const publisherWith = (...keys: Pick<Vector, 'algorithm' | 'publicKey'>[]): PublisherState => ({
  id: 'acme',
  name: 'Acme',
  registeredBy: 'rita',
  revoked: false,
  keys: new Map(
    keys.map((key, index) => [`k${index}`, { ...key, keyId: `k${index}`, proposedBy: 'rita', state: 'active' }]),
  ),
});

for (const { by, algorithm, publicKey, envelope } of vectors) {
  test(`an envelope of ${by} with ${algorithm} verifies, and with one bit changed it does not`, () => {
    const publisher = publisherWith(newKey(), { algorithm, publicKey });
    assert.deepEqual(findSigners(envelope, statement, [publisher]).signers, [{ publisher: 'acme', keyId: 'k1' }]);
    const [signature] = envelope.signatures;
    assert.ok(signature);
    const bytes = Buffer.from(signature.sig, 'base64');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const tampered: Envelope = { ...envelope, signatures: [{ ...signature, sig: changed.toString('base64') }] };
      assert.deepEqual(findSigners(tampered, statement, [publisher]).signers, [], `byte ${at}`);
    }
  });
}

test('the encoding that is signed is that of the DSSE specification', () => {
  // The test vector of protocol.md, DSSE v1.0.0.
  const encoded = preAuthEncoding('http://example.com/HelloWorld', Buffer.from('hello world'));
  assert.equal(encoded.toString(), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world');
  assert.equal(preAuthEncoding('ü', Buffer.from('é')).toString(), 'DSSEv1 2 ü 2 é');
});

test('base64 is read in both alphabets, and nothing else is read at all', () => {
  for (const text of ['-_-_', '+/+/', 'YQ==', 'YQ', 'YWI=', '']) assert.ok(bytesOfBase64(text), text);
  for (const text of ['Y', 'YQ=', 'YR==', 'a b=', 'YQ==\n', '+-+-', 'YQ==YQ==', '====']) {
    assert.equal(bytesOfBase64(text), undefined, text);
  }
});

test('an envelope with many signatures costs a bounded number of verifications', () => {
  const keys = Array.from({ length: 32 }, () => newKey());
  const publishers = Array.from({ length: 64 }, () => publisherWith(...keys));
  const [vector] = vectors;
  assert.ok(vector);
  const signatures = Array.from({ length: 8 }, () => ({ sig: vector.envelope.signatures[0]?.sig ?? '' }));
  const { signers, tried } = findSigners({ ...vector.envelope, signatures }, statement, publishers);
  assert.deepEqual(signers, []);
  assert.equal(tried.length, 64);
});

const whyRefused = (...key: Parameters<typeof readPublicKey>): string => {
  const read = readPublicKey(...key);
  return typeof read === 'string' ? read : '';
};

test('only public keys of the two algorithms are read', () => {
  const { publicKey, privateKey } = newKey('ecdsa-p256');
  assert.equal(typeof readPublicKey(publicKey, 'ecdsa-p256'), 'object');
  assert.match(whyRefused(publicKey, 'ed25519'), /is no key for ed25519/);
  const pem = privateKey.export({ type: 'sec1', format: 'pem' }).toString();
  assert.match(whyRefused(pem, 'ecdsa-p256'), /is a private key/);
  assert.match(whyRefused('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n', 'ed25519'), /cannot/);
});
