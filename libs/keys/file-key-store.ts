import { createPrivateKey, generateKeyPairSync, hkdfSync, randomUUID, type KeyObject } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  KeyStoreUnavailable,
  SECRET_BYTES,
  type KeyStore,
  type SecretPurpose,
  type SigningPurpose,
} from './key-store.js';

/** Gives a file a second name: link(2). */
type Link = (existing: string, name: string) => void;

/** Errors of link(2) on a file system without hard links. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/** The PEM file (PKCS #8) of each signing key. */
const FILES: Readonly<Record<SigningPurpose, string>> = {
  'directive-feed': 'feed-key.pem',
  log: 'log-key.pem',
};

/** The HKDF `info` of each secret. Changing one changes every id that was made with it. */
const INFO: Readonly<Record<SecretPurpose, string>> = { 'create-ids': 'sallyport installation secret' };

/**
 * Keys as files in a folder, readable by their owner alone. Secrets have no file: they are derived from the feed key
 * (RFC 5869 HKDF), so a new feed key also means new secrets.
 */
export function fileKeyStore(folder: string, link: Link = linkSync): KeyStore {
  const keys = new Map<SigningPurpose, KeyObject>();
  const keyOf = (purpose: SigningPurpose): KeyObject => {
    const key = keys.get(purpose) ?? openKey(join(folder, FILES[purpose]), link);
    keys.set(purpose, key);
    return key;
  };
  return {
    async signingKey(purpose) {
      return keyOf(purpose);
    },
    async secret(purpose) {
      const key = keyOf('directive-feed').export({ type: 'pkcs8', format: 'der' });
      return new Uint8Array(hkdfSync('sha256', key, '', INFO[purpose], SECRET_BYTES));
    },
  };
}

function openKey(file: string, link: Link): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(read(file) ?? make(file, link));
  } catch (error) {
    throw new KeyStoreUnavailable(`${file}: the key cannot be read or made (${codeOf(error)})`);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new KeyStoreUnavailable(`${file}: expected an Ed25519 key`);
  return key;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Makes a key under another name and links it: no crash leaves half a key, and of two processes both get one key. A file
 * system without hard links gets the key written in place.
 */
function make(file: string, link: Link): string {
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const draft = `${file}.${randomUUID()}`;
  try {
    write(draft, pem);
    publish(draft, file, pem, link);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    remove(draft);
  }
  sync(dirname(file));
  return readFileSync(file, 'utf8');
}

function publish(draft: string, file: string, pem: string, link: Link): void {
  try {
    link(draft, file);
  } catch (error) {
    if (!NO_LINKS.has(codeOf(error))) throw error;
    write(file, pem);
  }
}

const write = (file: string, text: string): void => writeFileSync(file, text, { flag: 'wx', mode: 0o600, flush: true });

function remove(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** Makes the name of a new file durable. Windows cannot open a folder; its file systems keep names by themselves. */
function sync(folder: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : 'malformed';
}
