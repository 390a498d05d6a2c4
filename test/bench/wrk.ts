import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from '../support/root.js';

/** The load generator, in one thread. */

const SCRIPT = join(projectRoot, 'test', 'bench', 'load.lua');
const GRACE_MS = 20_000;

export interface Figures {
  readonly requests: number;
  readonly durationS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Answers with another status than 2xx. */
  readonly notOk: number;
  /** Connections, reads and writes that failed, and time-outs. */
  readonly failed: number;
}

export interface Load {
  readonly url: string;
  readonly questionsFile: string;
  readonly connections: number;
  readonly durationS: number;
  /** Where each answer is written down: for checks, not for measurements. */
  readonly answersFile?: string;
}

/** The version of `wrk`, undefined where it is not installed. */
export function wrkVersion(): string | undefined {
  try {
    execFileSync('wrk', ['-v'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return 'wrk';
  } catch (error) {
    // It says its version and then complains of its arguments.
    const said = (error as { stdout?: string }).stdout;
    return said === undefined || said === null ? undefined : /^wrk \S+/.exec(said)?.[0];
  }
}

/** Throws where nothing could be measured. */
export async function load({ url, questionsFile, connections, durationS, answersFile }: Load): Promise<Figures> {
  const args = ['-t1', `-c${connections}`, `-d${durationS}s`, '--timeout', '10s', '-s', SCRIPT, url];
  const { PATH = '' } = process.env;
  const env = {
    PATH,
    BENCH_QUESTIONS: questionsFile,
    BENCH_RUN: randomBytes(4).toString('hex'),
    ...(answersFile === undefined ? {} : { BENCH_ANSWERS: answersFile }),
  };
  const timeout = durationS * 1000 + GRACE_MS;
  const { stdout, stderr } = await promisify(execFile)('wrk', args, { env, timeout, killSignal: 'SIGKILL' });
  return figuresOf(`${stdout}${stderr}`);
}

export function figuresOf(output: string): Figures {
  const figures = /^FIGURES (.+)$/m.exec(output)?.[1];
  if (figures === undefined) throw new Error(`wrk gave no figures: ${output.slice(-500)}`);
  return JSON.parse(figures) as Figures;
}
