import { digestOfBytes, type Digest } from '../kernel/digest.js';
import type { Pseudonym } from './pseudonym.js';

/**
 * The keys under which the content of tasks is encrypted, and those of the pseudonyms of users. They are kept apart from
 * the log: shredding a key destroys the content of a task permanently, while every event, digest and proof remains.
 * `test/contracts/keyring.ts` says for every adapter what these words mean. All methods throw `KeyringUnavailable` if
 * the keys cannot be read or written.
 */
export interface Keyring extends UserKeys {
  /**
   * The 32-byte key of a task; made if there is none, and durable before it is answered. Throws `KeyShredded` if the
   * key was shredded: a new key for the same task would make shredded content look damaged. If `userId` is given, the
   * same write gives that user a pseudonym.
   */
  create(taskId: string, userId?: string): Promise<Uint8Array>;
  /** The key of a task; undefined if it was shredded or never made. */
  get(taskId: string): Promise<Uint8Array | undefined>;
  /**
   * Destroys the keys of tasks, durably, and records that it did. Has no effect on a key that is shredded already.
   * The tasks are not condemned afterwards.
   */
  shred(...taskIds: readonly string[]): Promise<void>;
  /**
   * Notes, durably, that the keys of these tasks are about to be shredded. After a crash, `condemned` lists them: if the
   * log has their erasure, they have to be shredded, else spared.
   */
  condemn(...taskIds: readonly string[]): Promise<void>;
  /** Takes that back. */
  spare(...taskIds: readonly string[]): Promise<void>;
  /** The tasks that are condemned. */
  condemned(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** The part that a reader of content and of users needs. */
export type KeyReading = Pick<Keyring, 'get' | 'knownPseudonym' | 'userOf'>;

/**
 * A key per user, of which the user's pseudonym is made. Events hold the pseudonym alone. Without the key nobody can
 * tell whose it is, and the same user gets another one.
 */
export interface UserKeys {
  /** The pseudonym of a user; made if there is none, and durable before it is answered. */
  pseudonymOf(userId: string): Promise<Pseudonym>;
  /** The pseudonym that a user has now. Undefined if there is none: nothing is made. */
  knownPseudonym(userId: string): Promise<Pseudonym | undefined>;
  /** The user behind a pseudonym. Undefined if nobody has it, or the user was erased. */
  userOf(pseudonym: string): Promise<string | undefined>;
  /** Whether a pseudonym still has its key. It answers at once, so that an append can rest on it. */
  holdsUser(pseudonym: string): boolean;
  /**
   * Destroys the key of a pseudonym, durably. Has no effect if it is gone already. Tasks that the user opened before
   * keep their content: shred them afterwards, because no task is opened under an erased pseudonym.
   */
  eraseUser(pseudonym: string): Promise<void>;
}

export const KEY_BYTES = 32;

/** The digest by which TaskOpened names its key. A key has 256 random bits, so its digest tells nothing about it. */
export const taskKeyDigest = (key: Uint8Array): Digest => digestOfBytes(key);

/** The key of this task has been destroyed, and there will never be another. */
export class KeyShredded extends Error {
  override readonly name = 'KeyShredded';

  constructor() {
    super('the key of this task has been shredded');
  }
}

/** The keys cannot be read or written now. The message holds a code and neither SQL nor a path. */
export class KeyringUnavailable extends Error {
  override readonly name = 'KeyringUnavailable';
}
