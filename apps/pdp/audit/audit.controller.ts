import { getExposure } from '../../../libs/contract/exposure.js';
import type { Readable } from 'node:stream';
import { Controller, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { CallIndex } from '../../../libs/audit/index/call-index.js';
import {
  AUDIT_PAGE,
  findCalls,
  findTasks,
  getCall,
  getTrace,
  listEvents,
  MAX_EVENTS,
  replayTrace,
} from '../../../libs/contract/audit.js';
import { exportBundle } from '../../../libs/contract/bundle.js';
import { listResponses } from '../../../libs/contract/responses.js';
import { sampleCalls } from '../../../libs/contract/sample.js';
import { ControlPlane } from '../../../libs/control/control-plane.js';
import type { Principal } from '../edge/access.js';
import type { Asked } from '../edge/asked.js';
import { Problem } from '../edge/problem.js';
import { Handles } from '../http/handles.js';
import { BundleDownloads } from './bundle-download.js';
import { streamed, type Written } from './streamed.js';
import { AuditThread } from './thread/audit-thread.js';
import type { AuditRequest } from './thread/messages.js';

/** The thread has written the answer. */
const asWritten = (written: Written): Uint8Array | Readable => written;

/** Evidence, for auditors only. A thread of its own reads and writes it: this one passes requests and bytes on. */
@Controller()
export class AuditController {
  constructor(
    @Inject(AuditThread) private readonly thread: AuditThread,
    @Inject(ControlPlane) private readonly plane: ControlPlane,
    @Inject(CallIndex) private readonly index: CallIndex,
    @Inject(BundleDownloads) private readonly bundles: BundleDownloads,
  ) {}

  @Handles(getTrace, asWritten)
  async trace({ caller, params: { traceId }, page }: Asked<typeof getTrace>): Promise<Written> {
    const [stamp, now] = [await this.index.stamp(), this.plane.time.now()];
    return this.found(caller, { kind: 'trace', traceId, now, page, stamp });
  }

  @Handles(replayTrace, asWritten)
  async replay({ caller, params: { traceId }, page }: Asked<typeof replayTrace>): Promise<Written> {
    return this.found(caller, { kind: 'replay', traceId, page, stamp: await this.index.stamp() });
  }

  @Handles(exportBundle, asWritten)
  async bundle(
    { caller, params: { traceId }, query: { content = 'include' } }: Asked<typeof exportBundle>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Written> {
    const { unsealed, body } = await this.bundles.start(caller.name, traceId, content);
    void reply.header('sallyport-unsealed-events', String(unsealed));
    return body;
  }

  @Handles(findCalls, asWritten)
  async calls(
    { caller, query, page }: Asked<typeof findCalls>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Written> {
    const { format = 'json' } = query;
    const limit = format === 'json' ? page.limit : AUDIT_PAGE.maxLimit;
    return streamed(reply, format, page.cursor, async (cursor, isFirst) => {
      return this.thread.ask(caller.name, {
        kind: 'calls',
        query,
        page: { limit, cursor },
        isFirst,
        stamp: await this.index.stamp(),
      });
    });
  }

  @Handles(getCall, asWritten)
  async call({ caller, params: { callId }, query: { task } }: Asked<typeof getCall>): Promise<Written> {
    return this.found(caller, { kind: 'call', callId, task, stamp: await this.index.stamp() });
  }

  @Handles(findTasks, asWritten)
  async tasks({ caller, query, page }: Asked<typeof findTasks>): Promise<Written> {
    const [stamp, now] = [await this.index.stamp(), this.plane.time.now()];
    return this.found(caller, { kind: 'tasks', query, now, page, stamp });
  }

  @Handles(getExposure, asWritten)
  async exposure({ caller, query, page }: Asked<typeof getExposure>): Promise<Written> {
    return this.found(caller, { kind: 'exposure', query, page, stamp: await this.index.stamp() });
  }

  @Handles(listResponses, asWritten)
  async responses({ caller, query, page }: Asked<typeof listResponses>): Promise<Written> {
    const [stamp, now] = [await this.index.stamp(), this.plane.time.now()];
    return this.found(caller, { kind: 'responses', query, now, page, stamp });
  }

  @Handles(sampleCalls, asWritten)
  async sample({ caller, query }: Asked<typeof sampleCalls>): Promise<Written> {
    return this.found(caller, { kind: 'sample', query, stamp: await this.index.stamp() });
  }

  @Handles(listEvents, asWritten)
  async events(
    { caller, query }: Asked<typeof listEvents>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Written> {
    const { format = 'json' } = query;
    const isStream = format === 'csv' || format === 'jsonl';
    const { limit = isStream ? MAX_EVENTS : undefined } = query;
    let until: bigint | undefined;
    return streamed(reply, format, query.cursor, async (cursor, isFirst) => {
      const stamp = await this.index.stamp();
      // A stream ends with the events that were there when it began.
      if (isStream) until ??= stamp.end;
      return this.thread.ask(caller.name, {
        kind: 'events',
        query: { ...query, limit, cursor },
        until,
        isFirst,
        stamp,
      });
    });
  }

  private async found({ name }: Principal, request: AuditRequest): Promise<Uint8Array> {
    const { bytes } = await this.thread.ask(name, request);
    if (bytes === undefined) throw new Problem('not_found', 'nothing is known under this id');
    return bytes;
  }
}
