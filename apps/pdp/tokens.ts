/** What the composition root provides under a symbol because it is an interface, not a class. */
export const EVENT_LOG = Symbol('EventLog');
export const CLOCK = Symbol('Clock');
export const SETTINGS = Symbol('Settings');
export const FEED_KEY = Symbol('FeedKey');

export type { EventLog } from '#libs/event-log/port.js';
export type { Clock } from '#libs/kernel/time.js';
export type { Settings } from './settings.js';
