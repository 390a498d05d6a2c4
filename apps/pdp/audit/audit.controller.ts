import { Controller, Inject } from '@nestjs/common';
import { CallIndex } from '../../../libs/audit/index/call-index.js';
import { findCalls, findTasks, getTrace, listEvents, replayTrace } from '../../../libs/contract/audit.js';
import { sampleCalls } from '../../../libs/contract/sample.js';
import { ControlPlane } from '../../../libs/control/control-plane.js';
import type { VersionStatus } from '../../../libs/vocabulary/words.js';
import type { Asked } from '../edge/asked.js';
import { Problem } from '../edge/problem.js';
import { Handles } from '../http/handles.js';
import { AuditThread } from './thread/audit-thread.js';

/** The thread has written the answer. */
const asWritten = (bytes: Uint8Array): Uint8Array => bytes;

/** Evidence, for auditors only. A thread of its own reads and writes it: this one passes requests and bytes on. */
@Controller()
export class AuditController {
  constructor(
    @Inject(AuditThread) private readonly thread: AuditThread,
    @Inject(ControlPlane) private readonly plane: ControlPlane,
    @Inject(CallIndex) private readonly index: CallIndex,
  ) {}

  @Handles(getTrace, asWritten)
  async trace({ params: { traceId } }: Asked<typeof getTrace>): Promise<Uint8Array> {
    const [stamp, now] = [await this.index.stamp(), this.plane.time.now()];
    return found(await this.thread.ask({ kind: 'trace', traceId, now, stamp }));
  }

  @Handles(replayTrace, asWritten)
  async replay({ params: { traceId } }: Asked<typeof replayTrace>): Promise<Uint8Array> {
    return found(await this.thread.ask({ kind: 'replay', traceId, stamp: await this.index.stamp() }));
  }

  @Handles(findCalls, asWritten)
  async calls({ query, page }: Asked<typeof findCalls>): Promise<Uint8Array> {
    const { reviewStatus } = query;
    const stamp = await this.index.stamp();
    const versions = reviewStatus === undefined ? [] : await this.versionsIn(reviewStatus);
    return found(await this.thread.ask({ kind: 'calls', query, versions, page, stamp }));
  }

  @Handles(findTasks, asWritten)
  async tasks({ query, page }: Asked<typeof findTasks>): Promise<Uint8Array> {
    const [stamp, now] = [await this.index.stamp(), this.plane.time.now()];
    return found(await this.thread.ask({ kind: 'tasks', query, now, page, stamp }));
  }

  @Handles(sampleCalls, asWritten)
  async sample({ query }: Asked<typeof sampleCalls>): Promise<Uint8Array> {
    return found(await this.thread.ask({ kind: 'sample', query, stamp: await this.index.stamp() }));
  }

  @Handles(listEvents, asWritten)
  async events({ query }: Asked<typeof listEvents>): Promise<Uint8Array> {
    return found(await this.thread.ask({ kind: 'events', query }));
  }

  private async versionsIn(wanted: VersionStatus): Promise<{ capability: string; version: string }[]> {
    const found: { capability: string; version: string }[] = [];
    for await (const { id, versions } of this.plane.view.capabilitiesFrom()) {
      for (const { version, status } of versions.values())
        if (status === wanted) found.push({ capability: id, version });
    }
    return found;
  }
}

function found(answer: Uint8Array | undefined): Uint8Array {
  if (answer === undefined) throw new Problem('not_found', 'nothing is known under this trace id');
  return answer;
}
