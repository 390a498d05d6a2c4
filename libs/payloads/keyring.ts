/**
 * The keys under which the content of tasks is encrypted. They are kept apart from the log: shredding a key destroys
 * the content of a task permanently, while every event, digest and proof remains. `test/contracts/keyring.ts` says for
 * every adapter what these words mean. All methods throw `KeyringUnavailable` if the keys cannot be read or written.
 */
export interface Keyring {
  /**
   * The 32-byte key of a task; made if there is none, and durable before it is answered. Throws `KeyShredded` if the
   * key was shredded: a new key for the same task would make shredded content look damaged.
   */
  create(taskId: string): Promise<Uint8Array>;
  /** The key of a task; undefined if it was shredded or never made. */
  get(taskId: string): Promise<Uint8Array | undefined>;
  /** Destroys the key of a task, durably, and records that it did. Has no effect if the key is shredded already. */
  shred(taskId: string): Promise<void>;
  close(): Promise<void>;
}

/** The part that a reader of content needs. */
export type KeyReading = Pick<Keyring, 'get'>;

export const KEY_BYTES = 32;

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
