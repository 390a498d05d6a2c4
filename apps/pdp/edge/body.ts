import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { finished, Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest, preParsingHookHandler } from 'fastify';
import type { z } from 'zod';
import type { Json } from '../../../libs/kernel/canonical-json.js';
import { INLINE_BYTES, sharedIfLarge } from '../../../libs/decision-point/content-desk.js';
import { JsonText } from '../../../libs/kernel/json-text.js';
import { readStrictJson, type JsonLimits } from '../../../libs/kernel/strict-json.js';
import { shapeOf } from '../../../libs/vocabulary/shape.js';
import type { Settings } from '../settings.js';
import { chargeBody, lengthOf, operationOf } from './access.js';
import { Problem, unwrap } from './problem.js';
import type { Quotas } from './quotas.js';
import { valueBoundsOf } from './value-bounds.js';

/**
 * Accepts only strict JSON, within the limits of its route. An empty body is an empty object. A body that is large
 * enough to block this thread stays raw, for the threads that work on content.
 */
export function acceptStrictJson(server: FastifyInstance, limits: Settings['limits'], quotas: Quotas): void {
  const shared = new WeakMap<FastifyRequest, Uint8Array>();
  server.addHook('onRequest', refuseUnreadable);
  server.addHook('preParsing', takesLargeResponses(limits, shared));
  server.removeAllContentTypeParsers();
  const options = {
    parseAs: 'buffer' as const,
    bodyLimit: Math.max(limits.bodyBytes, limits.definitionBytes, limits.responseBytes),
  };
  server.addContentTypeParser<Buffer>('application/json', options, (request, rest, done) => {
    try {
      const body = shared.get(request) ?? rest;
      chargeBody(request, quotas, body.length);
      done(null, parse(request, body, limits));
    } catch (error) {
      done(error as Error);
    }
  });
}

/**
 * Copies a large response chunk by chunk into memory that threads share. This thread never copies all of it at once.
 * The framework's parser then gets an empty body.
 */
function takesLargeResponses(
  { responseBytes }: Settings['limits'],
  shared: WeakMap<FastifyRequest, Uint8Array>,
): preParsingHookHandler {
  return (request, _reply, payload, done) => {
    const length = lengthOf(request);
    const isOne = operationOf(request)?.rawBody === true && isJson(request.headers);
    if (!isOne || length === undefined || length <= INLINE_BYTES || length > responseBytes) return done(null, payload);
    const bytes = new Uint8Array(new SharedArrayBuffer(length));
    let at = 0;
    payload.on('data', (piece: Buffer) => {
      bytes.set(piece, at);
      at += piece.length;
    });
    finished(payload, { writable: false }, (error) => {
      if (error !== undefined && error !== null) return done(Object.assign(error, { statusCode: 400 }));
      shared.set(request, bytes);
      done(null, Object.assign(Readable.from([]), { receivedEncodedLength: length }));
    });
  };
}

const isJson = (headers: IncomingHttpHeaders): boolean =>
  /^application\/json\s*(?:;|$)/i.test(headers['content-type'] ?? '');

/** HTTP/1.1 requires a `Host` header (RFC 9112, 3.2). Node would answer its absence with an empty 400. */
export const lacksHost = ({ httpVersion, headers }: Pick<IncomingMessage, 'httpVersion' | 'headers'>): boolean =>
  httpVersion === '1.1' && headers.host === undefined;

/** Refuses a request without its `Host` header or with an encoded body, before anything of the body is read. */
function refuseUnreadable(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
  if (lacksHost(request.raw)) return done(new Problem('malformed_request', 'the request names no host'));
  if (!isPacked(request.headers)) return done();
  // The unread rest of the body would be in the way of the next request on this connection.
  reply.header('connection', 'close');
  done(new Problem('unsupported_media_type', 'send the body without content-encoding'));
}

/**
 * Whether a body is encoded (RFC 9110, 8.4). The size of a decoded body has no bound, so encoded bodies are refused.
 */
export const isPacked = (headers: IncomingHttpHeaders): boolean =>
  (headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity';

function parse(request: FastifyRequest, body: Uint8Array, limits: Settings['limits']): unknown {
  const { bodyLimit: kind = 'bodyBytes', rawBody } = operationOf(request) ?? {};
  const limit = limits[kind];
  if (body.length > limit) throw new Problem('too_large', `the body is larger than ${limit} bytes`);
  if (rawBody === true) return new JsonText(sharedIfLarge(body));
  return body.length === 0 ? {} : parseJson(body, { maxDepth: limits.jsonDepth, values: valueBoundsOf(limits)[kind] });
}

/**
 * Parses untrusted JSON strictly. `what` names the text for the caller. Throws `Problem`, which never quotes the text.
 */
export function parseJson(bytes: Uint8Array, limits: JsonLimits, what?: string): Json {
  return unwrap(readStrictJson(bytes, limits, what));
}

/**
 * Reads an untrusted value by a schema. Throws `Problem` (400) with the fields that are wrong, and never quotes the
 * value.
 */
export function parseInput<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  return unwrap(shapeOf(schema, value));
}
