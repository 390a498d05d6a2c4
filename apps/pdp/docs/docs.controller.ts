import { createHash } from 'node:crypto';
import { Controller, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { getOpenApi } from '../../../libs/contract/docs.js';
import { openApi } from '../../../libs/contract/openapi.js';
import { OPERATIONS } from '../../../libs/contract/operations.js';
import { VERSION } from '../../../libs/kernel/version.js';
import type { Asked } from '../edge/asked.js';
import { Handles } from '../http/handles.js';

/** The descriptions of the service, built once. They are the same for every installation of a version, so they are public. */
@Controller()
export class DocsController {
  private readonly openApi = documentOf(openApi(OPERATIONS, VERSION));

  @Handles(getOpenApi, asWritten)
  describe(
    _: Asked<typeof getOpenApi>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Buffer {
    return answered(this.openApi, request, reply);
  }
}

interface Document {
  readonly bytes: Buffer;
  /** A strong one (RFC 9110, 8.8.3). */
  readonly etag: string;
}

function documentOf(description: object): Document {
  const bytes = Buffer.from(JSON.stringify(description));
  return { bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url')}"` };
}

/** The document, or nothing with a 304 if the client has it already (RFC 9110, 13.1.2). */
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
