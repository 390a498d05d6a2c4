import { Controller, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { getAsyncApi, getDocs, getOpenApi } from '../../../libs/contract/docs.js';
import { FairShareLimiter } from '../../../libs/kernel/fair-share-limiter.js';
import type { Asked } from '../edge/asked.js';
import { Overloaded } from '../edge/problem.js';
import { Handles } from '../http/handles.js';
import { onceClosed } from '../http/work.js';
import { makeDocuments, type Document, type Documents } from './documents.js';

/**
 * Answers under way at once. Anyone may ask, and over TLS a client that does not read holds a copy of some 200 kB outside of
 * the heap.
 */
const MAX_OPEN_ANSWERS = 32;

/**
 * The descriptions of the service, made once when the first client asks. They are the same for all installations of a
 * version, so they are public.
 */
@Controller()
export class DocsController {
  private documents: Promise<Documents> | undefined;
  /** Clients have no name here, so they share one. */
  private readonly openAnswers = new FairShareLimiter(MAX_OPEN_ANSWERS, MAX_OPEN_ANSWERS);

  @Handles(getOpenApi, asWritten)
  describeHttp(
    _: Asked<typeof getOpenApi>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Answered> {
    return this.answer('openApi', request, reply);
  }

  @Handles(getAsyncApi, asWritten)
  describeKafka(
    _: Asked<typeof getAsyncApi>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Answered> {
    return this.answer('asyncApi', request, reply);
  }

  @Handles(getDocs, asWritten)
  show(
    _: Asked<typeof getDocs>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Answered> {
    return this.answer('page', request, reply);
  }

  /** The document, or an empty 304 if the client already has it (RFC 9110, 13.1.2). */
  private async answer(name: keyof Documents, request: FastifyRequest, reply: FastifyReply): Promise<Answered> {
    const hold = this.openAnswers.hold('anyone');
    if (!hold.take(1)) throw new Overloaded('docs', 'too many descriptions are being read');
    onceClosed(reply.raw, () => hold.end());
    const { bytes, etag, headers } = await this.made(name);
    void reply.headers({ ...headers, etag, 'cache-control': 'no-cache' });
    const known = request.headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
    if (known?.includes(etag) !== true && known?.includes('*') !== true) return { bytes };
    void reply.status(304);
    return {};
  }

  /** After a failure the next client makes them again. */
  private async made(name: keyof Documents): Promise<Document> {
    this.documents ??= makeDocuments().catch((error: unknown) => {
      this.documents = undefined;
      throw error;
    });
    return (await this.documents)[name];
  }
}

/** Without bytes the answer has no body. */
interface Answered {
  readonly bytes?: Buffer;
}

function asWritten({ bytes }: Answered): Buffer | undefined {
  return bytes;
}
