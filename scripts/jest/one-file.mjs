// Runs one test file in this process with jest-light-runner, sends its result to the runner, and ends by itself when
// the file has left nothing open.
import { once } from 'node:events';
import LightRunner from 'jest-light-runner';

/** After this time it says what keeps the process from ending. */
const OPEN_MS = 10_000;
/** How the error of `t.skip` begins (test/support/testing.ts). */
const SKIPPED = /^.*\n\s*Skipped: /;

/** Counts a test as skipped if it found out only while running that it could not run. The light runner has no such. */
function withSkipped(result) {
  const testResults = result.testResults.map((test) =>
    SKIPPED.test(test.failureMessages[0] ?? '') ? { ...test, status: 'pending', failureMessages: [] } : test,
  );
  const count = (status) => testResults.filter((test) => test.status === status).length;
  return {
    ...result,
    testResults,
    numFailingTests: count('failed'),
    numPendingTests: count('pending'),
    failureMessage: testResults.flatMap((test) => test.failureMessages).join('\n'),
  };
}

const [{ globalConfig, test }] = await once(process, 'message');
globalThis.testTimeoutMs = test.context.config.testTimeout;
// Without the runner nobody waits for the result: end, and what the file has started with it.
const giveUp = () => process.exit(1);
process.once('disconnect', giveUp);
let message;
// With one worker the light runner stays in its own process, which is this one.
await new LightRunner({ ...globalConfig, maxWorkers: 1 }).runTests(
  [test],
  undefined,
  async () => {},
  async (_test, result) => void (message = { result: withSkipped(result) }),
  async (_test, error) => void (message = { error }),
);
process.off('disconnect', giveUp);
// The runner kills a process that does not end by itself.
setTimeout(
  () => console.error(`still open in ${test.path}: ${process.getActiveResourcesInfo().join()}`),
  OPEN_MS,
).unref();
if (process.connected) process.send(message, () => process.disconnect());
