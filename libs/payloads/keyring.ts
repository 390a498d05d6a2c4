/**
 * The keys under which the content of tasks is encrypted. They live apart from the log, so that shredding a key takes
 * a task's content away for good while every event, digest and proof stays. `test/contracts/keyring.ts` says for every
 * adapter what these words mean. All methods throw `KeyringUnavailable` where the keys cannot be read or written.
 */
export interface Keyring {
  /**
   * The 32-byte key of a task, made where there is none; durable before it is answered. Throws `KeyShredded` where the
   * task had one: a key that came back under the same name would make shredded content look merely damaged.
   */
  create(taskId: string): Promise<Uint8Array>;
  /** The key of a task; undefined where it was shredded or never made. */
  get(taskId: string): Promise<Uint8Array | undefined>;
  /** Destroys the key of a task, durably, and keeps in mind that it did. Of no effect where it is shredded already. */
  shred(taskId: string): Promise<void>;
  close(): Promise<void>;
}

export const KEY_BYTES = 32;

/** The key of this task has been destroyed, and there will be no other. */
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
