/** Symbols for the parts that the composition root provides as an interface, not a class. */
export const EVENT_LOG = Symbol('EventLog');
export const CLOCK = Symbol('Clock');
export const SETTINGS = Symbol('Settings');
export const RELAY = Symbol('Relay');
export const SEAL = Symbol('Seal');
export const SIEM = Symbol('Siem');
export const INSTALLATION_SECRET = Symbol('InstallationSecret');

export type { EventLog } from '../../libs/event-log/port.js';
export type { Clock } from '../../libs/kernel/time.js';
export type { Relay } from './relay/relay.js';
export type { Settings } from './settings.js';
export type { Siem } from './siem/siem.js';

/** 32 bytes that only this installation knows (`KeyStore.secret`). They are never shown. */
export type InstallationSecret = Uint8Array;
