import { Controller, Inject } from '@nestjs/common';
import { CallAudit } from '../../../libs/audit/calls.js';
import { readEvents } from '../../../libs/audit/events.js';
import { CallIndex } from '../../../libs/audit/index/call-index.js';
import type { StoredEvent } from '../../../libs/audit/stored-event.js';
import { TaskAudit } from '../../../libs/audit/tasks.js';
import { TraceAudit } from '../../../libs/audit/trace.js';
import {
  findCalls,
  findTasks,
  getTrace,
  listEvents,
  replayTrace,
  type TraceReplay,
} from '../../../libs/contract/audit.js';
import type { CallSummary, TaskSummary } from '../../../libs/contract/evidence.js';
import { ControlPlane } from '../../../libs/control/control-plane.js';
import type { Asked } from '../edge/asked.js';
import { FRESHNESS_MS } from '../edge/freshness.js';
import { Problem, unwrap } from '../edge/problem.js';
import { Handles } from '../http/handles.js';
import type { Page } from '../http/paging.js';
import { EVENT_LOG, type EventLog } from '../tokens.js';

const asWritten = (text: Buffer): Buffer => text;

/** Evidence, for auditors only. */
@Controller()
export class AuditController {
  constructor(
    @Inject(TraceAudit) private readonly traces: TraceAudit,
    @Inject(CallAudit) private readonly callAudit: CallAudit,
    @Inject(TaskAudit) private readonly taskAudit: TaskAudit,
    @Inject(ControlPlane) private readonly plane: ControlPlane,
    @Inject(CallIndex) private readonly index: CallIndex,
    @Inject(EVENT_LOG) private readonly log: EventLog,
  ) {}

  /** Most of the answer is the log's own text. */
  @Handles(getTrace, asWritten)
  async trace({ params: { traceId } }: Asked<typeof getTrace>): Promise<Buffer> {
    return found(unwrap(await this.traces.trace(traceId, this.plane.time.now())));
  }

  @Handles(replayTrace)
  async replay({ params: { traceId } }: Asked<typeof replayTrace>): Promise<TraceReplay> {
    return found(unwrap(await this.traces.replay(traceId)));
  }

  @Handles(findCalls)
  async calls({ query, page: { limit, cursor } }: Asked<typeof findCalls>): Promise<Page<CallSummary>> {
    await this.awaitIndex();
    return unwrap(await this.callAudit.find(query, limit, cursor));
  }

  @Handles(findTasks)
  async tasks({ query, page: { limit, cursor } }: Asked<typeof findTasks>): Promise<Page<TaskSummary>> {
    await this.awaitIndex();
    return unwrap(await this.taskAudit.find(query, this.plane.time.now(), limit, cursor));
  }

  @Handles(listEvents)
  events({ query }: Asked<typeof listEvents>): Promise<Page<StoredEvent>> {
    return readEvents(this.log, this.plane.view, query);
  }

  /** Evidence is complete or is refused: the index must include everything that is committed by now. */
  private async awaitIndex(): Promise<void> {
    if (await this.index.waitFor(await this.log.end(), FRESHNESS_MS)) return;
    throw new Problem('view_stale', 'the index of calls is being brought up to date');
  }
}

function found<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Problem('not_found', 'nothing is known under this trace id');
  return value;
}
