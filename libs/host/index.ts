import './node-version.js';
export { connectHost, type Host, type HostOptions } from './host.js';
export { ServiceError } from './client.js';
export type { HostClient, Authorize, Observed, OpenTask, Outcome, Probe, ServerEvidence } from './client.js';
export type {
  Allow,
  ArgumentError,
  Decision,
  Difference,
  Envelope,
  Finding,
  Part,
  Task,
  Validated,
} from './answers.js';
export type { CallOptions, Guarded, GuardOptions } from './guard.js';
export type { ShownDefinition } from './definition.js';
export type { GuardedToolResult, ToolContent } from './result.js';
export { CallRefused, type Refusal } from './refusal.js';
export type { FeedState, FollowerState } from './follower.js';
export type { StaleReason } from './view.js';
export type { DirectiveFeed, FeedListener, FeedSubscription } from '../feed/port.js';
