import { randomInt } from 'node:crypto';

/**
 * `SALLYPORT_FUZZ_SEED` repeats a printed failure. `SALLYPORT_FUZZ_RUNS` sets the inputs for each route: a few for each
 * run of all tests, 10,000 for the long form, which also measures the memory that is left afterwards.
 */
export const FUZZ_SEED = Number(process.env['SALLYPORT_FUZZ_SEED'] ?? randomInt(2 ** 31));
export const FUZZ_RUNS = Number(process.env['SALLYPORT_FUZZ_RUNS'] ?? 40);
export const IS_LONG = FUZZ_RUNS >= 1000;

/** No input may take longer than this, in milliseconds; generous, because the machine may be busy with other tests. */
export const INPUT_MS = 5000;

/** The parameters of fast-check. Its failures name the seed and the shrunk input. */
export const fuzzing = (numRuns = FUZZ_RUNS) => ({
  seed: FUZZ_SEED,
  numRuns,
  // A failure is about one input, and shrinking asks the service again and again.
  interruptAfterTimeLimit: IS_LONG ? 3_600_000 : 60_000,
  errorWithCause: true,
});
