import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DigestText, InstantText } from '../vocabulary/ids.js';

/** A name within a folder, without a separator. */
export const FILE_NAME = /^[\w][\w. -]{0,254}$/;
export const MANIFEST = 'manifest.json';
export const LOG_FILE = 'sallyport.db';
export const KEYS_FILE = 'keys.db';
export const FEED_KEY_FILE = 'feed-key.pem';

/** The contents of a backup. It is written last, so a folder without it is no backup. */
export const Manifest = z.strictObject({
  format: z.literal(1),
  /** The version of Sallyport that made it. */
  version: z.string(),
  createdAt: InstantText,
  incarnation: z.int().min(0),
  /** The position of the last event in the log, a decimal. */
  head: z.string().regex(/^\d{1,20}$/),
  /** The epoch of the directives. */
  epoch: z.int().min(0),
  files: z
    .array(
      z.strictObject({
        /** A name within the folder, without a separator: a manifest can lead nowhere else. */
        name: z.string().regex(FILE_NAME),
        bytes: z.int().min(0),
        digest: DigestText,
      }),
    )
    .max(1_000),
});
export type Manifest = z.infer<typeof Manifest>;

/** The backup is not whole, or not as it was made. The message is one line for an operator. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
}

/** Throws `BackupError`. */
export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch(() => undefined);
  if (text === undefined) throw new BackupError(`${folder} has no ${MANIFEST}: it is no backup, or a half-made one`);
  try {
    return Manifest.parse(JSON.parse(text));
  } catch {
    throw new BackupError(`${join(folder, MANIFEST)} is not a manifest that this version reads`);
  }
}

export async function fileEntry(folder: string, name: string): Promise<Manifest['files'][number]> {
  const path = join(folder, name);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return { name, bytes: (await stat(path)).size, digest: `sha256:${hash.digest('hex')}` };
}

/** Compares every file with the manifest. Throws `BackupError` at the first that differs. */
export async function checkFiles(folder: string, { files }: Manifest): Promise<void> {
  for (const { name, bytes, digest } of files) {
    const found = await fileEntry(folder, name).catch(() => undefined);
    if (found === undefined) throw new BackupError(`${name} is missing, or cannot be read`);
    if (found.bytes !== bytes || found.digest !== digest) throw new BackupError(`${name} is not as it was backed up`);
  }
}
