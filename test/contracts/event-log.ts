import { appending } from './event-log-appending.js';
import { faults } from './event-log-faults.js';
import { following } from './event-log-following.js';
import { model } from './event-log-model.js';
import { reading } from './event-log-reading.js';
import { recalling } from './event-log-recalling.js';
import type { MakeLog } from './log-under-test.js';
import { describe } from '../support/testing.js';

/**
 * The meaning of the event log port. Every adapter runs all of it. An adapter that cannot fail on command leaves out
 * the ordered faults, and has tests with real ones instead.
 */
export function eventLogContract(name: string, makeLog: MakeLog, can: { readonly orderFaults: boolean }): void {
  describe(`event log contract: ${name}`, () => {
    describe('append', () => appending(makeLog));
    describe('take back', () => recalling(makeLog));
    if (can.orderFaults) describe('faults', () => faults(makeLog));
    describe('read', () => reading(makeLog));
    describe('subscribe', () => following(makeLog));
    describe('model', () => model(makeLog));
  });
}
