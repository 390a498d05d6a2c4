import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BackupError,
  checkFiles,
  FEED_KEY_FILE,
  KEYS_FILE,
  LOG_FILE,
  readManifest,
  type Manifest,
} from '../../../libs/backup/manifest.js';
import { openLogCopy, type LogCopy } from '../../../libs/event-log/sqlite/log-copy.js';
import { feedKeyOf } from '../../../libs/feed/feed-key.js';
import { openKeyringCopy, type KeyringCopy } from '../../../libs/payloads/keyring-copy.js';
import { openPayload } from '../../../libs/payloads/payload.js';
import { payloadPlace } from '../../../libs/payloads/payload-place.js';
import { codeOf } from '../../../libs/sqlite-file/codes.js';
import { families } from '../../../libs/streams/catalogue.js';
import { placeIn } from './make.js';

/** A backup that was read whole. */
export interface CheckedBackup {
  readonly manifest: Manifest;
  /** Records of content that were decrypted. */
  readonly opened: number;
  /** Records whose key had been shredded before the backup: nobody can read them. */
  readonly shredded: number;
  /** The key of the directive feed. Undefined if the backup has none: the service makes it at its first start. */
  readonly feedKey: { readonly kid: string; readonly publicKey: KeyObject } | undefined;
}

/**
 * Reads a backup whole, and changes nothing in it. It compares digests and the place of the log, runs SQLite's own check of
 * both databases, and decrypts each content. Throws `BackupError` at the first fault.
 */
export async function checkBackup(folder: string): Promise<CheckedBackup> {
  const manifest = await readManifest(folder);
  const names = manifest.files.map(({ name }) => name);
  for (const needed of [LOG_FILE, KEYS_FILE])
    if (!names.includes(needed)) throw new BackupError(`the manifest does not name ${needed}`);
  await checkFiles(folder, manifest);
  const log = opened(LOG_FILE, () => openLogCopy(join(folder, LOG_FILE)));
  try {
    const keys = opened(KEYS_FILE, () => openKeyringCopy(join(folder, KEYS_FILE)));
    try {
      const content = checkStores(manifest, log, keys);
      return { manifest, ...content, feedKey: feedKeyIn(folder, names) };
    } finally {
      keys.close();
    }
  } finally {
    log.close();
  }
}

function checkStores(manifest: Manifest, log: LogCopy, keys: KeyringCopy): { opened: number; shredded: number } {
  for (const [name, store] of [
    [LOG_FILE, log],
    [KEYS_FILE, keys],
  ] as const) {
    const [fault] = opened(name, () => store.faults());
    if (fault !== undefined) throw new BackupError(`${name} is damaged: ${fault}`);
  }
  const { incarnation, head, epoch } = placeIn(log);
  if (incarnation !== manifest.incarnation || head !== manifest.head || epoch !== manifest.epoch)
    throw new BackupError(`${LOG_FILE} is not the log that the manifest describes`);
  const lost = keys.lostUsers();
  if (lost > 0) throw new BackupError(`${KEYS_FILE} has ${lost} users whose ids cannot be decrypted`);
  return checkContent(log, keys);
}

function checkContent(log: LogCopy, keys: KeyringCopy): { opened: number; shredded: number } {
  let [open, shredded] = [0, 0];
  for (const { stream, revision, bytes } of log.payloads()) {
    const taskId = families.task.idOf(stream) ?? families.calls.idOf(stream);
    const key = taskId === undefined ? undefined : keys.keyOf(taskId);
    const place = payloadPlace({ stream, revision });
    if (key === 'shredded') shredded += 1;
    else if (key === undefined) throw new BackupError(`${KEYS_FILE} has no key for the content of ${place}`);
    else if (!openPayload(createSecretKey(key), place, bytes).ok)
      throw new BackupError(`the content of ${place} cannot be decrypted`);
    else open += 1;
  }
  return { opened: open, shredded };
}

function feedKeyIn(folder: string, names: readonly string[]): CheckedBackup['feedKey'] {
  if (!names.includes(FEED_KEY_FILE)) return undefined;
  try {
    const privateKey = createPrivateKey(readFileSync(join(folder, FEED_KEY_FILE), 'utf8'));
    return { kid: feedKeyOf(privateKey).kid, publicKey: createPublicKey(privateKey) };
  } catch {
    throw new BackupError(`${FEED_KEY_FILE} is not a key`);
  }
}

function opened<Value>(name: string, open: () => Value): Value {
  try {
    return open();
  } catch (error) {
    throw new BackupError(`${name} cannot be read: ${codeOf(error)}`);
  }
}
