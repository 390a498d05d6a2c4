import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { join } from 'node:path';
import { projectRoot } from '../support/root.js';
import { simulate } from './simulate.js';

/**
 * `npm run test:faults` runs all planned faults within bounds: the real faults on the real process and store, then
 * simulated histories. `-- --long` runs through a night. The exit code is 1 if anything broke.
 *
 *   --long                  200 kills, 100,000 racing calls, 40 torn files, 100,000 histories
 *   --kills N --calls N --tears N      each by itself
 *   --histories N --seconds S --seed N --threads N --stragglers      of the simulation; seconds end it early
 *   --only real|simulation
 */
const AMOUNTS = {
  short: { kills: 20, calls: 600, tears: 3, histories: 2_000, seconds: 60 },
  long: { kills: 200, calls: 100_000, tears: 40, histories: 100_000, seconds: 7_200 },
} as const;
const MAX_SEED = 2 ** 31;

/** Each file ends on its own. Together they cover the faults of a store and a process. */
const REAL = [
  'test/store-faults/',
  ...['kill', 'race', 'stops', 'unknown', 'late', 'frozen', 'full-disk', 'torn'].map(
    (name) => `test/process/${name}.test.js`,
  ),
];
/** The long form of one test takes hours. */
const TEST_MS = 12 * 3_600_000;

const number = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    long: { type: 'boolean', default: false },
    only: { type: 'string' },
    kills: number,
    calls: number,
    tears: number,
    histories: number,
    seconds: number,
    seed: number,
    threads: number,
    stragglers: { type: 'boolean', default: false },
  },
});

const amounts = AMOUNTS[values.long ? 'long' : 'short'];
const amountOf = (name: keyof typeof amounts): number => Number(values[name] ?? amounts[name]);

/** Runs one file after the other, because they depend on time and load. */
async function realFaults(): Promise<boolean> {
  const env = {
    ...process.env,
    SALLYPORT_TEST_KILLS: String(amountOf('kills')),
    SALLYPORT_TEST_CALLS: String(amountOf('calls')),
    SALLYPORT_TEST_TEARS: String(amountOf('tears')),
  };
  const args = [join(projectRoot, 'scripts/test.mjs'), ...REAL, '--maxWorkers=1', `--testTimeout=${TEST_MS}`];
  const child = spawn(process.execPath, args, { env, stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code === 0;
}

const { only } = values;
if (only !== undefined && only !== 'real' && only !== 'simulation') throw new Error('--only real or --only simulation');
const real = only === 'simulation' || (await realFaults());
const firstSeed = Number(values.seed ?? Math.trunc(Math.random() * MAX_SEED));
const [histories, seconds] = [amountOf('histories'), amountOf('seconds')];
const job = { firstSeed, histories, seconds, stragglers: values.stragglers };
const simulated = only === 'real' || (await simulate(job, Math.max(1, Number(values.threads ?? 2))));
process.exitCode = real && simulated ? 0 : 1;
