export { Follower } from './follower.js';
export type { Acknowledgement, DirectivesClient, FeedState, FollowerOptions, FollowerState } from './follower.js';
export { feedKeys } from './keys.js';
export type { StaleReason } from './view.js';
export { sseFeed } from '../feed/watch/sse.js';
