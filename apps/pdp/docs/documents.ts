import { createHash } from 'node:crypto';
import { startWorker } from '../../../libs/threads/start-worker.js';
import { PAGE_POLICY } from './page.js';

/** The texts that the thread makes. */
export interface Texts {
  readonly openApi: string;
  readonly asyncApi: string;
  readonly page: string;
}

export interface Document {
  readonly bytes: Buffer;
  /** A strong entity tag (RFC 9110, 8.8.3). */
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
}

export type Documents = Readonly<Record<keyof Texts, Document>>;

const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': PAGE_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/**
 * Makes the descriptions in a thread that then ends. Their schemas take over a tenth of a second, which neither a start nor
 * a decision should wait for. Rejects if the thread fails.
 */
export async function makeDocuments(): Promise<Documents> {
  const made = Promise.withResolvers<Texts>();
  startWorker<Texts>(
    { script: new URL('./worker.js', import.meta.url) },
    {
      onMessage: made.resolve,
      onEnd: (error) => made.reject(error ?? new Error('the thread of the descriptions ended without them')),
    },
  );
  const { openApi, asyncApi, page } = await made.promise;
  return { openApi: documentOf(openApi), asyncApi: documentOf(asyncApi), page: documentOf(page, PAGE_HEADERS) };
}

function documentOf(text: string, headers: Document['headers'] = {}): Document {
  const bytes = Buffer.from(text);
  return { bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url')}"`, headers };
}
