import assert from 'node:assert/strict';
import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { SECRET_BYTES, type KeyStore } from '../../libs/keys/key-store.js';
import { describe, test } from '../support/testing.js';

export interface KeyStoreUnderTest {
  readonly store: KeyStore;
  /** Another process on the same installation. Absent if only one process can use the keys. */
  readonly reopen?: () => KeyStore;
  readonly dispose?: () => void;
}

/** The meaning of the key store port. Every adapter runs all of it. */
export function keyStoreContract(name: string, make: () => KeyStoreUnderTest): void {
  const on = (title: string, body: (under: KeyStoreUnderTest) => Promise<void>) =>
    test(title, async () => {
      const under = make();
      try {
        await body(under);
      } finally {
        under.dispose?.();
      }
    });

  describe(`key store contract: ${name}`, () => {
    on('makes one Ed25519 key and keeps it', async ({ store }) => {
      const key = await store.signingKey('directive-feed');
      assert.deepEqual([key.type, key.asymmetricKeyType], ['private', 'ed25519']);
      assert.equal(derOf(await store.signingKey('directive-feed')), derOf(key));
      const bytes = Buffer.from('a beat');
      assert.ok(verify(null, bytes, createPublicKey(key), sign(null, bytes, key)));
    });

    on('keeps a secret, which is not the key', async ({ store }) => {
      const secret = await store.secret('create-ids');
      assert.equal(secret.byteLength, SECRET_BYTES);
      assert.deepEqual(await store.secret('create-ids'), secret);
      const key = (await store.signingKey('directive-feed')).export({ type: 'pkcs8', format: 'der' });
      assert.ok(!key.includes(Buffer.from(secret)));
    });

    on('gives all who ask at once the same key', async ({ store, reopen = () => store }) => {
      const stores = [store, reopen(), reopen()];
      const keys = await Promise.all(stores.map((each) => each.signingKey('directive-feed')));
      assert.equal(new Set(keys.map(derOf)).size, 1);
    });

    on('gives every process on the installation the same keys', async ({ store, reopen = () => store }) => {
      const key = derOf(await store.signingKey('directive-feed'));
      const secret = await store.secret('create-ids');
      const again = reopen();
      assert.deepEqual(await again.secret('create-ids'), secret);
      assert.equal(derOf(await again.signingKey('directive-feed')), key);
    });

    test('gives each installation keys of its own', async () => {
      const [one, other] = [make(), make()];
      try {
        const [key, otherKey] = await Promise.all([one, other].map(({ store }) => store.signingKey('directive-feed')));
        assert.notEqual(derOf(key), derOf(otherKey));
        assert.notDeepEqual(await one.store.secret('create-ids'), await other.store.secret('create-ids'));
      } finally {
        for (const each of [one, other]) each.dispose?.();
      }
    });
  });
}

const derOf = (key: KeyObject | undefined): string =>
  key?.export({ type: 'pkcs8', format: 'der' }).toString('hex') ?? '';
