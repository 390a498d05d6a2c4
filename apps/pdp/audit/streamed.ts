import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { EventFormat } from '../../../libs/contract/audit.js';

/** An answer whose text is written already, or is being written. */
export type Written = Uint8Array | Readable;

interface Page {
  readonly bytes: Uint8Array | undefined;
  readonly next?: string | undefined;
}

const MEDIA: Readonly<Partial<Record<EventFormat, string>>> = {
  csv: 'text/csv; charset=utf-8; header=present',
  jsonl: 'application/jsonl; charset=utf-8',
};

/**
 * A list in one page, or all of its pages as one stream. The next page is read once the client has taken the one before,
 * so one page is in memory. A failure after the first page cuts the connection: the client sees that the list is not whole.
 */
export async function streamed(
  reply: FastifyReply,
  format: EventFormat,
  cursor: string | undefined,
  readPage: (cursor: string | undefined, isFirst: boolean) => Promise<Page>,
): Promise<Written> {
  const first = await readPage(cursor, true);
  const media = MEDIA[format];
  if (media === undefined) return first.bytes ?? new Uint8Array();
  void reply.header('content-type', media);
  return Readable.from(bytesOf(first, readPage), { objectMode: false });
}

async function* bytesOf(
  first: Page,
  readPage: (cursor: string, isFirst: boolean) => Promise<Page>,
): AsyncGenerator<Uint8Array> {
  for (let page = first; ;) {
    if (page.bytes !== undefined && page.bytes.length > 0) yield page.bytes;
    if (page.next === undefined) return;
    page = await readPage(page.next, false);
  }
}
