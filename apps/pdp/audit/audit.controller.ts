import { Controller, Get, Header, Inject, Param, Query, UseInterceptors } from '@nestjs/common';
import { CallIndex } from '../../../libs/audit/index/call-index.js';
import { CallAudit, CallQuery, DEFAULT_CALLS, MAX_CALLS } from '../../../libs/audit/calls.js';
import { EventsQuery, readEvents } from '../../../libs/audit/events.js';
import type { CallSummary } from '../../../libs/audit/evidence.js';
import type { StoredEvent } from '../../../libs/audit/stored-event.js';
import { TaskAudit, TaskQuery, type TaskSummary } from '../../../libs/audit/tasks.js';
import { TraceAudit, type TraceReplay } from '../../../libs/audit/trace.js';
import { ControlPlane } from '../../../libs/control/control-plane.js';
import { TraceId } from '../../../libs/vocabulary/ids.js';
import { Access } from '../edge/access.js';
import { parseInput } from '../edge/body.js';
import { FRESHNESS_MS } from '../edge/freshness.js';
import { pagingOf, type Page } from '../http/paging.js';
import { Problem, unwrap } from '../edge/problem.js';
import { WorkInterceptor } from '../overload/work.js';
import { EVENT_LOG, type EventLog } from '../tokens.js';

/** Evidence: for auditors alone. */
@Controller('v1/audit')
@UseInterceptors(WorkInterceptor)
export class AuditController {
  constructor(
    @Inject(TraceAudit) private readonly traces: TraceAudit,
    @Inject(CallAudit) private readonly callAudit: CallAudit,
    @Inject(TaskAudit) private readonly taskAudit: TaskAudit,
    @Inject(ControlPlane) private readonly plane: ControlPlane,
    @Inject(CallIndex) private readonly index: CallIndex,
    @Inject(EVENT_LOG) private readonly log: EventLog,
  ) {}

  @Get('traces/:traceId')
  @Access(['auditor'])
  @Header('content-type', 'application/json; charset=utf-8')
  async trace(@Param('traceId') traceId: string): Promise<Buffer> {
    return found(unwrap(await this.traces.trace(parseInput(TraceId, traceId), this.plane.time.now())));
  }

  @Get('traces/:traceId/replay')
  @Access(['auditor'])
  async replay(@Param('traceId') traceId: string): Promise<TraceReplay> {
    return found(unwrap(await this.traces.replay(parseInput(TraceId, traceId))));
  }

  @Get('calls')
  @Access(['auditor'])
  async calls(@Query() query: unknown): Promise<Page<CallSummary>> {
    const asked = parseInput(CallQuery, query);
    const { limit, cursor } = pagingOf(query, DEFAULT_CALLS, MAX_CALLS);
    await this.awaitIndex();
    return unwrap(await this.callAudit.find(asked, limit, cursor));
  }

  @Get('tasks')
  @Access(['auditor'])
  async tasks(@Query() query: unknown): Promise<Page<TaskSummary>> {
    const asked = parseInput(TaskQuery, query);
    const { limit, cursor } = pagingOf(query, DEFAULT_CALLS, MAX_CALLS);
    await this.awaitIndex();
    return unwrap(await this.taskAudit.find(asked, this.plane.time.now(), limit, cursor));
  }

  @Get('events')
  @Access(['auditor'])
  events(@Query() query: unknown): Promise<Page<StoredEvent>> {
    return readEvents(this.log, this.plane.view, parseInput(EventsQuery, query));
  }

  /** Evidence is whole or it is not given: what is committed by now has to be in the index. */
  private async awaitIndex(): Promise<void> {
    if (await this.index.waitFor(await this.log.end(), FRESHNESS_MS)) return;
    throw new Problem('view_stale', 'the index of calls is being brought up to date');
  }
}

function found<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Problem('not_found', 'nothing is known under this trace id');
  return value;
}
