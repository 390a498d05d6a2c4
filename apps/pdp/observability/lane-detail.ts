import { defined } from '../../../libs/kernel/defined.js';
import type { LaneState, LaneStatus } from '../../../libs/relay/lane.js';

/** The details of a lane in `/health/ready`. None of them keeps the service from deciding. */
export interface LaneDetail {
  readonly state: LaneState;
  readonly reason?: string;
  /** Positions of the log that have not left yet. */
  readonly lag: number;
  /** Milliseconds since the other side last acknowledged something. */
  readonly sinceAckMs?: number;
}

/** Matches the addresses of brokers. Anyone may ask for the service's health, and must not learn them. */
const ADDRESS = /\S+:\d{1,5}\b|(?<=\b(?:ENOTFOUND|EAI_AGAIN) )\S+|(?<=altnames: ).*/g;

export const laneDetail = ({ state, reason, sinceAckMs }: LaneStatus, lag: number): LaneDetail =>
  defined({
    state,
    reason: reason?.replaceAll(ADDRESS, 'a broker'),
    lag,
    sinceAckMs: sinceAckMs === undefined ? undefined : Math.round(sinceAckMs),
  });

export const lagOf = (newest: bigint, passed: bigint): number => (newest > passed ? Number(newest - passed) : 0);
