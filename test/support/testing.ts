import {
  afterAll,
  beforeAll,
  beforeEach as beforeEachTest,
  describe as jestDescribe,
  test as jestTest,
} from 'jest-circus';

/**
 * What test files import instead of Jest's globals: the same, with a context for each test. There is no `only`, so no
 * change can leave a focused test behind; `npm test -- PATTERN -t NAME` runs one test.
 */

declare global {
  /** `testTimeout` of jest.config.mjs, or of Jest's command line. */
  var testTimeoutMs: number;
}

export interface TestContext {
  /** Runs when the test has ended, whatever its result; several run in the order in which they were given. */
  after(cleanup: () => unknown): void;
  /** Ends the test, which then counts as skipped. Use the option `skip` if the condition is known before it runs. */
  skip(reason: string): never;
  /** Prints a measured figure or a seed. */
  diagnostic(message: string): void;
}

export interface TestOptions {
  /** True, or the reason why the test cannot run here. */
  readonly skip?: boolean | string;
  /** By default `testTimeout` of jest.config.mjs. */
  readonly timeoutMs?: number;
}

type Body = (t: TestContext) => unknown;

type Describe = (title: string, body: () => void) => void;
export const describe: Describe & { readonly skip: Describe } = jestDescribe;

export const before = (setUp: () => unknown): void => beforeAll(bounded(setUp));
export const beforeEach = (setUp: () => unknown): void => beforeEachTest(bounded(setUp));
export const after = (cleanUp: () => unknown): void => afterAll(bounded(cleanUp));

/** A hook has the time of a test. */
const bounded = (hook: () => unknown) => () => within(globalThis.testTimeoutMs, async () => hook());

export function test(name: string, ...rest: [Body] | [TestOptions, Body]): void {
  const [options, body] = rest.length === 1 ? [{}, ...rest] : rest;
  const { skip = false, timeoutMs = globalThis.testTimeoutMs } = options;
  const declare = skip === false ? jestTest : jestTest.skip;
  declare(name, () => perform(body, timeoutMs));
}

/** scripts/jest/one-file.mjs knows it by its name. */
class Skipped extends Error {
  override readonly name = 'Skipped';
}

/** Runs the body and then all clean-ups; throws what any of them threw. */
async function perform(body: Body, timeoutMs: number): Promise<void> {
  const cleanups: (() => unknown)[] = [];
  const errors: Error[] = [];
  const attempt = async (step: () => unknown): Promise<void> => {
    try {
      await step();
    } catch (error) {
      errors.push(error instanceof Error ? error : new Error(`thrown: ${String(error)}`));
    }
  };
  await attempt(() =>
    within(timeoutMs, async () =>
      body({
        after: (cleanup) => void cleanups.push(cleanup),
        skip: (reason) => {
          throw new Skipped(reason);
        },
        diagnostic: (message) => console.log(`# ${message}`),
      }),
    ),
  );
  for (const cleanup of cleanups) await attempt(cleanup);
  const [first, ...others] = errors;
  if (first === undefined) return;
  if (others.length > 0) first.stack += others.map(({ stack }) => `\nand while cleaning up: ${stack}`).join('');
  throw first;
}

async function within(timeoutMs: number, body: () => Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([body(), late]);
  } finally {
    clearTimeout(timer);
  }
}
