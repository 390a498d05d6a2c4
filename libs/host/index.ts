import './node-version.js';
export { connectHost, type Host, type HostOptions } from './host.js';
export { ServiceError } from './service/client.js';
export type { HostClient, Authorize, Observed, OpenTask, Outcome, Probe, ServerEvidence } from './service/client.js';
export type {
  Allow,
  ArgumentError,
  AskedApproval,
  Decision,
  Difference,
  Envelope,
  Finding,
  OutboundRefusal,
  Part,
  Redaction,
  Task,
  Validated,
} from './service/answers.js';
export type { CallOptions, Guarded, GuardOptions } from './guard/options.js';
export type { ShownDefinition } from './guard/definition.js';
export type { Filtered, GuardedToolResult, ToolContent } from './guard/result.js';
export { CallRefused, type Refusal } from './guard/refusal.js';
export type { FeedState, FollowerState } from './directives/follower.js';
export type { StaleReason } from './directives/view.js';
export type { DirectiveFeed, FeedListener, FeedSubscription } from '../feed/port.js';
