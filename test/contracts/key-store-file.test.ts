import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { feedKeyOf } from '../../libs/feed/feed-key.js';
import { fileKeyStore } from '../../libs/keys/file-key-store.js';
import { KeyStoreUnavailable } from '../../libs/keys/key-store.js';
import { keyStoreContract } from './key-store.js';
import { test } from '../support/testing.js';

const newFolder = (): string => mkdtempSync(join(tmpdir(), 'sallyport-key-store-'));

keyStoreContract('file', () => {
  const folder = newFolder();
  return {
    store: fileKeyStore(folder),
    reopen: () => fileKeyStore(folder),
    dispose: () => rmSync(folder, { recursive: true }),
  };
});

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = newFolder();
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The private key of RFC 8032, 7.1, test 1. */
const PEM = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
`;

/** The secret that a version before the port derived from that key. */
const SECRET = '07b5b189ab8195bb3305db74d7dab3b12292b58db7f6cc07aece2aecdbe41763';

test('a folder of an earlier version keeps its keys and secrets', () =>
  inFolder(async (folder) => {
    writeFileSync(join(folder, 'feed-key.pem'), PEM, { mode: 0o600 });
    const store = fileKeyStore(folder);
    const { kid, jwk } = feedKeyOf(await store.signingKey('directive-feed'));
    assert.equal(jwk.x, '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo');
    // RFC 8037, A.3.
    assert.equal(kid, 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
    assert.equal(Buffer.from(await store.secret('create-ids')).toString('hex'), SECRET);
  }));

test('only the owner may read the key, and nothing else is left in the folder', () =>
  inFolder(async (folder) => {
    await fileKeyStore(folder).signingKey('directive-feed');
    assert.deepEqual(readdirSync(folder), ['feed-key.pem']);
    assert.equal(statSync(join(folder, 'feed-key.pem')).mode & 0o777, 0o600);
  }));

test('a file system without hard links keeps the key all the same', () =>
  inFolder(async (folder) => {
    for (const code of ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']) {
      const store = fileKeyStore(folder, () => {
        throw Object.assign(new Error('link'), { code });
      });
      const { kid } = feedKeyOf(await store.signingKey('directive-feed'));
      assert.deepEqual(readdirSync(folder), ['feed-key.pem']);
      assert.equal(statSync(join(folder, 'feed-key.pem')).mode & 0o777, 0o600);
      assert.equal(feedKeyOf(await fileKeyStore(folder).signingKey('directive-feed')).kid, kid);
      rmSync(join(folder, 'feed-key.pem'));
    }
  }));

test('a file that is no key of the right kind gets one clear line that quotes nothing of it', () =>
  inFolder(async (folder) => {
    const other = generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
    for (const text of ['', 'secret nonsense', other]) {
      writeFileSync(join(folder, 'feed-key.pem'), text);
      await assert.rejects(
        fileKeyStore(folder).signingKey('directive-feed'),
        (error) => error instanceof KeyStoreUnavailable && !/nonsense|BEGIN|\n/.test(error.message),
      );
    }
    const gone = fileKeyStore(join(folder, 'gone'));
    await assert.rejects(gone.signingKey('directive-feed'), { name: 'KeyStoreUnavailable', message: /ENOENT/ });
  }));
