import { randomUUID } from 'node:crypto';
import type { DecideServerRequest } from '../../mcp/server-requests.js';
import type { Flights } from './flights.js';
import { CLIENT_PREFIX, type Permit } from './permit.js';
import type { Records } from './records.js';

/**
 * Asks the service about each request of the server to its host, and records what became of it. The client's answer does
 * not leave if the request was stopped meanwhile.
 */
export const serverRequestDecider =
  (permit: Permit, flights: Flights, records: Records): DecideServerRequest =>
  async (method, params) => {
    const callId = randomUUID();
    const allow = await permit({ callId, operation: `${CLIENT_PREFIX}${method}`, arguments: params });
    const flight = flights.begin(allow);
    const recordNotSent = (reason: string): void =>
      records.outcome(callId, { status: 'failed', control: { decision: 'not_sent', by: 'host', reason } });
    return {
      mayAnswer(isError) {
        const reason = flight.stopped();
        flight.end();
        if (reason === undefined) records.outcome(callId, { status: isError ? 'failed' : 'succeeded' });
        else recordNotSent(reason);
        return reason === undefined;
      },
      dropped() {
        flight.end();
        recordNotSent('cancelled');
      },
    };
  };
