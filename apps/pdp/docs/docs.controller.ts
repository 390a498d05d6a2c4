import { createHash } from 'node:crypto';
import { Controller, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { getAsyncApi, getDocs, getOpenApi } from '../../../libs/contract/docs.js';
import { openApi } from '../../../libs/contract/openapi.js';
import { OPERATIONS } from '../../../libs/contract/operations.js';
import { VERSION } from '../../../libs/kernel/version.js';
import type { Asked } from '../edge/asked.js';
import { Handles } from '../http/handles.js';
import { asyncApiOf } from './async-api.js';
import { PAGE_POLICY, pageOf } from './page.js';
import type { OpenApi } from './open-api.js';

/**
 * The descriptions of the service, built once. They are the same for all installations of a version, so they are
 * public.
 */
@Controller()
export class DocsController {
  private readonly openApi: Document;
  private readonly asyncApi: Document;
  private readonly page: Document;

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
  ): Buffer {
    return answered(this.openApi, request, reply);
  }

  @Handles(getAsyncApi, asWritten)
  describeKafka(
    _: Asked<typeof getAsyncApi>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Buffer {
    return answered(this.asyncApi, request, reply);
  }

  @Handles(getDocs, asWritten)
  show(
    _: Asked<typeof getDocs>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Buffer {
    void reply.headers(PAGE_HEADERS);
    return answered(this.page, request, reply);
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

/** The document, or an empty 304 if the client already has it (RFC 9110, 13.1.2). */
function answered({ bytes, etag }: Document, request: FastifyRequest, reply: FastifyReply): Buffer {
  void reply.headers({ etag, 'cache-control': 'no-cache' });
  const known = request.headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (known?.includes(etag) !== true && known?.includes('*') !== true) return bytes;
  void reply.status(304);
  return Buffer.alloc(0);
}

function asWritten(bytes: Buffer): Buffer {
  return bytes;
}
