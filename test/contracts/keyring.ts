import assert from 'node:assert/strict';
import { KEY_BYTES, KeyringUnavailable, KeyShredded, type Keyring } from '../../libs/payloads/keyring.js';
import { isPseudonym } from '../../libs/payloads/pseudonym.js';
import { describe, test } from '../support/testing.js';

export interface KeyringUnderTest {
  readonly keyring: Keyring;
  /** Closes the keyring if a test has not, and leaves nothing behind. */
  readonly dispose: () => Promise<void>;
}

/** The meaning of the keyring port. Every adapter runs all of it. */
export function keyringContract(name: string, makeKeyring: () => Promise<KeyringUnderTest>): void {
  const on = (title: string, body: (keyring: Keyring) => Promise<void>) =>
    test(title, async () => {
      const { keyring, dispose } = await makeKeyring();
      try {
        await body(keyring);
      } finally {
        await dispose();
      }
    });

  describe(`keyring contract: ${name}`, () => {
    on('makes one key per task and keeps it', async (keyring) => {
      const key = await keyring.create('t1');
      assert.equal(key.byteLength, KEY_BYTES);
      assert.deepEqual(hex(await keyring.get('t1')), hex(key));
      assert.deepEqual(hex(await keyring.create('t1')), hex(key));
      assert.notEqual(hex(await keyring.create('t2')), hex(key));
    });

    on('knows no key that was never made', async (keyring) => {
      assert.equal(await keyring.get('t1'), undefined);
      assert.equal(await keyring.get('__proto__'), undefined);
    });

    on('gives all who ask at once the same key', async (keyring) => {
      const keys = await Promise.all(Array.from({ length: 20 }, (_, index) => keyring.create(`t${index % 2}`)));
      assert.equal(new Set(keys.map(hex)).size, 2);
    });

    on('shreds a key for good', async (keyring) => {
      await keyring.create('t1');
      const other = await keyring.create('t2');
      await keyring.shred('t1');
      await keyring.shred('t1');
      assert.equal(await keyring.get('t1'), undefined);
      await assert.rejects(keyring.create('t1'), KeyShredded);
      assert.equal(hex(await keyring.get('t2')), hex(other));
    });

    on('shreds a key that is not made yet', async (keyring) => {
      await keyring.shred('t1');
      await assert.rejects(keyring.create('t1'), KeyShredded);
    });

    on('gives each user one pseudonym, which leads back to the user', async (keyring) => {
      const ada = await keyring.pseudonymOf('ada');
      assert.ok(isPseudonym(ada));
      await keyring.create('t1', 'bob');
      const bob = await keyring.knownPseudonym('bob');
      assert.deepEqual([await keyring.pseudonymOf('ada'), await keyring.pseudonymOf('bob')], [ada, bob]);
      assert.notEqual(ada, bob);
      assert.deepEqual([await keyring.userOf(ada), await keyring.userOf(bob ?? '')], ['ada', 'bob']);
      assert.equal(await keyring.knownPseudonym('__proto__'), undefined);
      assert.equal(await keyring.userOf('p:0123456789012345678901'), undefined);
      assert.deepEqual([keyring.holdsUser(ada), keyring.holdsUser('ada')], [true, false]);
    });

    on('gives all who ask at once the same pseudonym', async (keyring) => {
      const made = Array.from({ length: 10 }, (_, index) => keyring.create(`t${index}`, 'ada'));
      const names = await Promise.all([keyring.pseudonymOf('ada'), keyring.pseudonymOf('ada')]);
      await Promise.all(made);
      assert.deepEqual(new Set(names).size, 1);
      assert.equal(await keyring.knownPseudonym('ada'), names[0]);
    });

    on('erases a user, who then gets another pseudonym', async (keyring) => {
      const [ada, bob] = [await keyring.pseudonymOf('ada'), await keyring.pseudonymOf('bob')];
      await keyring.eraseUser(ada);
      await keyring.eraseUser(ada);
      assert.deepEqual([await keyring.userOf(ada), await keyring.knownPseudonym('ada')], [undefined, undefined]);
      assert.deepEqual([keyring.holdsUser(ada), keyring.holdsUser(bob)], [false, true]);
      const again = await keyring.pseudonymOf('ada');
      assert.notEqual(again, ada);
      assert.deepEqual([await keyring.userOf(again), await keyring.userOf(bob)], ['ada', 'bob']);
    });

    on('gives the user of a shredded task nothing', async (keyring) => {
      await keyring.shred('t1');
      await assert.rejects(keyring.create('t1', 'ada'), KeyShredded);
      assert.equal(await keyring.knownPseudonym('ada'), undefined);
    });

    on('shreds many keys at once', async (keyring) => {
      for (const id of ['t1', 't2', 't3']) await keyring.create(id);
      await keyring.shred('t1', 't3', 'never-made');
      assert.deepEqual([await keyring.get('t1'), await keyring.get('t3')], [undefined, undefined]);
      assert.equal((await keyring.get('t2'))?.byteLength, KEY_BYTES);
    });

    on('remembers the tasks that are about to be shredded until they are, or are spared', async (keyring) => {
      await keyring.create('t1');
      await keyring.condemn('t1', 't2', 't3');
      await keyring.condemn('t1');
      assert.deepEqual([...(await keyring.condemned())].sort(), ['t1', 't2', 't3']);
      assert.equal((await keyring.get('t1'))?.byteLength, KEY_BYTES);
      await keyring.shred('t1');
      await keyring.spare('t2', 'unknown');
      assert.deepEqual(await keyring.condemned(), ['t3']);
    });

    on('answers nothing after it was closed', async (keyring) => {
      const making = keyring.create('t1');
      await keyring.close();
      assert.equal((await making).byteLength, KEY_BYTES);
      await assert.rejects(keyring.get('t1'), KeyringUnavailable);
      await assert.rejects(keyring.create('t2'), KeyringUnavailable);
      await keyring.close();
    });
  });
}

const hex = (key: Uint8Array | undefined): string => Buffer.from(key ?? []).toString('hex');
