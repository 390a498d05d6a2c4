// The runner that jest.config.mjs names. Jest hands it test files; each runs in a Node process of its own, so no test
// inherits modules, settings or handles of another file. `maxWorkers` processes run at once.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('one-file.mjs', import.meta.url));
/** A process that is still there this long after its last test fails its file. A Kafka client takes up to half a minute. */
const EXIT_MS = 120_000;

/** The result with one more failed test, which is about the process of the file. */
const withFailure = (result, message) => ({
  ...result,
  numFailingTests: result.numFailingTests + 1,
  failureMessage: [result.failureMessage, message].filter(Boolean).join('\n'),
  testResults: [
    ...result.testResults,
    { ancestorTitles: [], title: message, fullName: message, status: 'failed', failureMessages: [message] },
  ],
});

/** Runs one file. Resolves to Jest's TestResult; rejects if the process ended before it had sent one. */
async function runFile(globalConfig, { path, context }) {
  const limitMs = 2 * context.config.testTimeout;
  const child = fork(PROGRAM, { serialization: 'advanced' });
  let result;
  let error;
  let isLate = false;
  // Without its channel it ends by itself, with what it has started; it is killed if it does not.
  const stop = () => {
    isLate = true;
    child.disconnect();
    timer = setTimeout(() => child.kill('SIGKILL'), EXIT_MS);
  };
  let timer = setTimeout(stop, limitMs);
  child.once('message', (message) => {
    ({ result, error } = message);
    clearTimeout(timer);
    timer = setTimeout(() => child.kill('SIGKILL'), EXIT_MS);
  });
  child.send({ globalConfig, test: { path, context: { config: context.config } } });
  const [code, signal] = await once(child, 'exit');
  clearTimeout(timer);
  if (error !== undefined) throw error;
  if (result === undefined) {
    const how = isLate ? `after its limit of ${limitMs / 1000} s` : `with ${signal ?? code}`;
    throw new Error(`the process of this file ended ${how}, before its tests were done`);
  }
  if (signal !== null) return withFailure(result, `something is still open ${EXIT_MS / 1000} s after the last test`);
  if (code !== 0) return withFailure(result, `the process of this file ended with ${code} after its tests`);
  return result;
}

export default class ProcessPerFileRunner {
  constructor(globalConfig) {
    this.globalConfig = globalConfig;
  }

  async runTests(tests, watcher, onStart, onResult, onFailure) {
    const queue = tests.values();
    const lane = async () => {
      for (const test of queue) {
        if (watcher.isInterrupted()) return;
        await onStart(test);
        await runFile(this.globalConfig, test).then(
          (result) => onResult(test, result),
          (error) => onFailure(test, error),
        );
      }
    };
    await Promise.all(Array.from({ length: this.globalConfig.maxWorkers }, lane));
  }
}
