import crypto from 'node:crypto';
import { prefixed } from './digest.js';

/** Through the default export, as in `digest.ts`. */
const { hash } = crypto;

/** Ids of capabilities, publishers, policy sets and principals. */
export const NAME_PATTERN = /^[a-z0-9]([a-z0-9._-]{0,126}[a-z0-9])?$/;
export const VERSION_PATTERN = /^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$/;
export const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** A W3C trace id: 32 lower-case hex digits, not all zero. */
export const TRACE_ID_PATTERN = /^(?!0{32})[0-9a-f]{32}$/;

/** RFC 9562 UUIDv5 of a text within a namespace (a UUID); always lower case. */
export function uuidV5(namespace: string, text: string): string {
  const digest = hash('sha1', prefixed(bytesOf(namespace), text), 'hex');
  const variant = ((Number.parseInt(digest.slice(16, 18), 16) & 0x3f) | 0x80).toString(16);
  return [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `5${digest.slice(13, 16)}`,
    variant + digest.slice(18, 20),
    digest.slice(20, 32),
  ].join('-');
}

/** The namespaces are constants of this program, so there are few. */
const namespaces = new Map<string, Buffer>();

function bytesOf(namespace: string): Buffer {
  const bytes = namespaces.get(namespace) ?? Buffer.from(namespace.replaceAll('-', ''), 'hex');
  if (namespaces.size < 16) namespaces.set(namespace, bytes);
  return bytes;
}

/** The trace id of a `traceparent` header (W3C Trace Context, version 00), or undefined if the header is not valid. */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  const traceId = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(traceparent ?? '')?.[1];
  return traceId !== undefined && TRACE_ID_PATTERN.test(traceId) ? traceId : undefined;
}
