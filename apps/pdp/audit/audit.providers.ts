import type { Provider } from '@nestjs/common';
import { CallAudit } from '../../../libs/audit/calls.js';
import { DirectiveHistory } from '../../../libs/audit/directive-history.js';
import { TaskAudit } from '../../../libs/audit/tasks.js';
import { TraceAudit } from '../../../libs/audit/trace.js';
import type { Service } from '../service.js';

export function auditProviders({ log, keys, engines, index, view }: Service): Provider[] {
  const directives = new DirectiveHistory(log);
  return [
    { provide: TraceAudit, useValue: new TraceAudit(log, keys, engines, index, directives) },
    { provide: CallAudit, useValue: new CallAudit(log, view, engines, index, directives) },
    { provide: TaskAudit, useValue: new TaskAudit(log, index) },
  ];
}
