import { randomBytes } from 'node:crypto';
import { KEY_BYTES, KeyringUnavailable, KeyShredded, type Keyring } from './keyring.js';

/** A keyring for tests: nothing is durable. */
export function memoryKeyring(): Keyring {
  const keys = new Map<string, Uint8Array | 'shredded'>();
  let closed = false;
  const usable = () => {
    if (closed) throw new KeyringUnavailable('the keyring is closed');
  };
  return {
    async create(taskId) {
      usable();
      const key = keys.get(taskId) ?? randomBytes(KEY_BYTES);
      if (key === 'shredded') throw new KeyShredded();
      keys.set(taskId, key);
      return key;
    },
    async get(taskId) {
      usable();
      const key = keys.get(taskId);
      return key === 'shredded' ? undefined : key;
    },
    async shred(taskId) {
      usable();
      keys.set(taskId, 'shredded');
    },
    async close() {
      closed = true;
    },
  };
}
