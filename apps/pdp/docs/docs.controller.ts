import { createHash } from 'node:crypto';
import { Controller, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { getAsyncApi, getDocs, getOpenApi } from '../../../libs/contract/docs.js';
import { openApi } from '../../../libs/contract/openapi.js';
import { OPERATIONS } from '../../../libs/contract/operations.js';
import { FairShareLimiter } from '../../../libs/kernel/fair-share-limiter.js';
import { VERSION } from '../../../libs/kernel/version.js';
import type { Asked } from '../edge/asked.js';
import { Overloaded } from '../edge/problem.js';
import { Handles } from '../http/handles.js';
import { onceClosed } from '../http/work.js';
import { asyncApiOf } from './async-api.js';
import { PAGE_POLICY, pageOf } from './page.js';
import type { OpenApi } from './open-api.js';

/**
 * Answers under way at once. Anyone may ask, and over TLS a client that does not read holds a copy of some 200 kB outside of
 * the heap.
 */
const MAX_OPEN_ANSWERS = 32;

/**
 * The descriptions of the service, built once. They are the same for all installations of a version, so they are
 * public.
 */
@Controller()
export class DocsController {
  private readonly openApi: Document;
  private readonly asyncApi: Document;
  private readonly page: Document;
  /** Clients have no name here, so they share one. */
  private readonly openAnswers = new FairShareLimiter(MAX_OPEN_ANSWERS, MAX_OPEN_ANSWERS);

  constructor() {
    const http = JSON.stringify(openApi(OPERATIONS, VERSION));
    const kafka = asyncApiOf(VERSION);
    this.openApi = documentOf(http);
    this.asyncApi = documentOf(JSON.stringify(kafka));
    this.page = documentOf(pageOf(JSON.parse(http) as OpenApi, kafka));
  }

  @Handles(getOpenApi, asWritten)
  describeHttp(
    _: Asked<typeof getOpenApi>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Answered {
    return this.answer(this.openApi, request, reply);
  }

  @Handles(getAsyncApi, asWritten)
  describeKafka(
    _: Asked<typeof getAsyncApi>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Answered {
    return this.answer(this.asyncApi, request, reply);
  }

  @Handles(getDocs, asWritten)
  show(
    _: Asked<typeof getDocs>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Answered {
    void reply.headers(PAGE_HEADERS);
    return this.answer(this.page, request, reply);
  }

  /** The document, or an empty 304 if the client already has it (RFC 9110, 13.1.2). */
  private answer({ bytes, etag }: Document, request: FastifyRequest, reply: FastifyReply): Answered {
    const hold = this.openAnswers.hold('anyone');
    if (!hold.take(1)) throw new Overloaded('docs', 'too many descriptions are being read');
    onceClosed(reply.raw, () => hold.end());
    void reply.headers({ etag, 'cache-control': 'no-cache' });
    const known = request.headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
    if (known?.includes(etag) !== true && known?.includes('*') !== true) return { bytes };
    void reply.status(304);
    return {};
  }
}

const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': PAGE_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

interface Document {
  readonly bytes: Buffer;
  /** A strong entity tag (RFC 9110, 8.8.3). */
  readonly etag: string;
}

function documentOf(text: string): Document {
  const bytes = Buffer.from(text);
  return { bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url')}"` };
}

/** Without bytes the answer has no body. */
interface Answered {
  readonly bytes?: Buffer;
}

function asWritten({ bytes }: Answered): Buffer | undefined {
  return bytes;
}
