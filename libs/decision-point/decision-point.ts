import type { ControlView } from '../control/control-view.js';
import type { LogTime } from '../control/log-time.js';
import type { SettledLog } from '../event-log/settled.js';
import type { ContentDesk } from './content-desk.js';
import type { DecisionEngines } from './engines.js';
import type { FlowSettings } from './flow-inputs.js';
import type { TaskLanes } from './task-lanes.js';

/** The parts that every path through the decision point shares. */
export interface DecisionPoint {
  readonly log: SettledLog;
  readonly view: ControlView;
  readonly lanes: TaskLanes;
  readonly engines: DecisionEngines;
  readonly time: LogTime;
  readonly desk: ContentDesk;
  readonly flow: FlowSettings;
  readonly approvals: ApprovalTerms;
}

/** How approvals are given. */
export interface ApprovalTerms {
  /** Milliseconds from the request of an approval, or from a client's word, to its end. */
  readonly goodForMs: number;
  /** How far a host's clock may be ahead, in milliseconds. */
  readonly skewMs: number;
  /** The address of the service for people. Absent if it is not known. */
  readonly publicUrl?: string | undefined;
}
