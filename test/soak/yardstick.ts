import { createHash } from 'node:crypto';

const ROUNDS = 60;
const WORK = JSON.stringify(Array.from({ length: 100 }, (_, index) => ({ index, text: `entry ${index}` })));

/**
 * Processor time of this thread for a fixed piece of work, in microseconds: some milliseconds of what the service does too.
 * The machine's speed drifts by a third within an hour, and what got slower together with this did not grow.
 */
export function yardstickUs(): number {
  const before = process.threadCpuUsage();
  for (let round = 0; round < ROUNDS; round += 1) {
    createHash('sha256')
      .update(JSON.stringify(JSON.parse(WORK)))
      .digest();
  }
  const { user, system } = process.threadCpuUsage(before);
  return user + system;
}
