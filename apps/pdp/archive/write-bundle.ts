import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportBundle, type ExportSources } from '../../../libs/bundle/export.js';
import { verifyBundle } from '../../../libs/bundle/verify.js';
import type { Soundness } from '../../../libs/bundle/verdict.js';
import { digestOfBytes, type Digest } from '../../../libs/kernel/digest.js';
import { parseVerifier } from '../../../libs/transparency/note.js';

export interface WrittenBundle {
  readonly file: string;
  readonly digest: Digest;
  readonly soundness: Exclude<Soundness, 'not_sound'>;
}

/** A bundle cannot be exported, or is not sound. The message is one line. */
export class BundleRefused extends Error {
  override readonly name = 'BundleRefused';
}

/**
 * Writes the bundle of a trace durably, and then verifies it from the file, as `sallyport verify` does. The name has the
 * checkpoint, so no bundle of an earlier archive is written over by another. Throws `BundleRefused`, what the log throws, and the
 * errors of the file system.
 */
export async function writeBundle(sources: ExportSources, traceId: string, folder: string): Promise<WrittenBundle> {
  const draft = join(folder, `.${traceId}.new`);
  try {
    await exportTo(sources, traceId, draft);
    const text = readFileSync(draft, 'utf8');
    const keys = sources.proofs.keys.flatMap((key) => parseVerifier(key) ?? []);
    const { soundness, faults } = await verifyBundle(text, { keys });
    const [fault] = faults;
    if (soundness === 'not_sound') throw new BundleRefused(`is not sound: ${fault?.where ?? ''}: ${fault?.what ?? ''}`);
    const digest = digestOfBytes(Buffer.from(text));
    const file = `${traceId}-${digest.slice('sha256:'.length, 'sha256:'.length + 16)}.json`;
    renameSync(draft, join(folder, file));
    return { file, digest, soundness };
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

async function exportTo(sources: ExportSources, traceId: string, file: string): Promise<void> {
  const made = await exportBundle(sources, traceId, 'include');
  if (!made.ok) throw new BundleRefused(made.error.detail);
  if (made.value === undefined || made.value.unsealed > 0) throw new BundleRefused('no checkpoint has all of it yet');
  const descriptor = openSync(file, 'w', 0o600);
  try {
    for await (const piece of made.value.pieces) writeFileSync(descriptor, piece);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
