import { LogUnavailable, type Blob, type LogReading } from './port.js';
import { canonicalJson } from '../kernel/canonical-json.js';
import { digestOfBytes, type Digest } from '../kernel/digest.js';

/** Blobs are named by the plain SHA-256 of their bytes: the JCS of a document, or a text as it is. */
export function jsonBlob(value: unknown): Blob {
  return textBlob(canonicalJson(value));
}

export function textBlob(text: string): Blob {
  return { digest: digestOfBytes(text), bytes: Buffer.from(text, 'utf8') };
}

/** Reads a blob that an event names, and trusts it only if its digest matches. Throws `LogUnavailable`. */
export async function readText(log: Pick<LogReading, 'blob'>, digest: Digest): Promise<string> {
  const bytes = await log.blob(digest);
  if (bytes === undefined || digestOfBytes(bytes) !== digest)
    throw new LogUnavailable(`blob ${digest} is missing or damaged`);
  return Buffer.from(bytes).toString('utf8');
}

/** Reads a document that we wrote as JCS. Throws `LogUnavailable`. */
export async function readJson<Document>(log: Pick<LogReading, 'blob'>, digest: Digest): Promise<Document> {
  return JSON.parse(await readText(log, digest)) as Document;
}
