import type { IncomingMessage } from 'node:http';

/** The `traceparent` header of a request (W3C Trace Context), as sent and unchecked. */
export function traceparentOf(request: Pick<IncomingMessage, 'headers'>): string | undefined {
  const value = request.headers['traceparent'];
  return typeof value === 'string' ? value : undefined;
}
