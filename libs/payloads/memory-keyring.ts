import { randomBytes } from 'node:crypto';
import { pseudonymBy, type Pseudonym } from './pseudonym.js';
import { KEY_BYTES, KeyringUnavailable, KeyShredded, type Keyring } from './keyring.js';

/** A keyring for tests: nothing is durable. */
export function memoryKeyring(): Keyring {
  const keys = new Map<string, Uint8Array | 'shredded'>();
  const users = new Map<string, Pseudonym>();
  const condemned = new Set<string>();
  let closed = false;
  const usable = () => {
    if (closed) throw new KeyringUnavailable('the keyring is closed');
  };
  const named = (userId: string): Pseudonym => {
    const pseudonym = users.get(userId) ?? pseudonymBy(randomBytes(KEY_BYTES), userId);
    users.set(userId, pseudonym);
    return pseudonym;
  };
  const behind = (pseudonym: string) => [...users].find(([, known]) => known === pseudonym)?.[0];
  return {
    async create(taskId, userId) {
      usable();
      const key = keys.get(taskId) ?? randomBytes(KEY_BYTES);
      if (key === 'shredded') throw new KeyShredded();
      keys.set(taskId, key);
      if (userId !== undefined) named(userId);
      return key;
    },
    async get(taskId) {
      usable();
      const key = keys.get(taskId);
      return key === 'shredded' ? undefined : key;
    },
    async shred(...taskIds) {
      usable();
      for (const taskId of taskIds) {
        keys.set(taskId, 'shredded');
        condemned.delete(taskId);
      }
    },
    ...condemning(condemned, usable),
    async pseudonymOf(userId) {
      usable();
      return named(userId);
    },
    async knownPseudonym(userId) {
      usable();
      return users.get(userId);
    },
    async userOf(pseudonym) {
      usable();
      return behind(pseudonym);
    },
    holdsUser(pseudonym) {
      usable();
      return behind(pseudonym) !== undefined;
    },
    async eraseUser(pseudonym) {
      usable();
      users.delete(behind(pseudonym) ?? '');
    },
    async close() {
      closed = true;
    },
  };
}

const condemning = (tasks: Set<string>, usable: () => void): Pick<Keyring, 'condemn' | 'spare' | 'condemned'> => ({
  async condemn(...taskIds) {
    usable();
    for (const taskId of taskIds) tasks.add(taskId);
  },
  async spare(...taskIds) {
    usable();
    for (const taskId of taskIds) tasks.delete(taskId);
  },
  async condemned() {
    usable();
    return [...tasks];
  },
});
