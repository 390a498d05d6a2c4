import { LogUnavailable, OutcomeUnknown } from './port.js';

/**
 * Work for the answer to a command that is recorded already. If the log fails now, that says nothing of the command: it
 * throws `OutcomeUnknown`, where `LogUnavailable` would say that nothing was written.
 */
export async function afterCommit<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof LogUnavailable ? new OutcomeUnknown('recorded, but the answer cannot be read') : error;
  }
}
