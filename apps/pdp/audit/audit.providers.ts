import type { Provider } from '@nestjs/common';
import { CallAudit } from '../../../libs/audit/calls.js';
import { DirectiveHistory } from '../../../libs/audit/directive-history.js';
import { TaskAudit } from '../../../libs/audit/tasks.js';
import { TraceAudit } from '../../../libs/audit/trace.js';
import type { Service } from '../service.js';

export function auditProviders({ stores, control, decisions, index }: Service): Provider[] {
  const { log, keyring } = stores;
  const { engines } = decisions;
  const directives = new DirectiveHistory(log);
  return [
    { provide: TraceAudit, useValue: new TraceAudit(log, keyring, engines, index, directives) },
    { provide: CallAudit, useValue: new CallAudit(log, control.view, engines, index, directives) },
    { provide: TaskAudit, useValue: new TaskAudit(log, index) },
  ];
}
