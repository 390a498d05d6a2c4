import { execFile } from 'node:child_process';
import type { Json } from '../../../libs/kernel/canonical-json.js';
import type { Place } from './evidence.js';

const ANSWER_MS = 15_000;
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

/** The JSON that a program prints; undefined if it fails, takes longer than 15 s or prints anything else. */
export async function askProgram(program: string, args: readonly string[], place: Place): Promise<Json | undefined> {
  const options = { cwd: place.cwd, env: { ...place.env }, timeout: ANSWER_MS, maxBuffer: MAX_OUTPUT_BYTES };
  const printed = await new Promise<string>((resolve) => {
    const child = execFile(program, args, options, (error, stdout) => resolve(error === null ? stdout : ''));
    child.stdin?.end();
  });
  try {
    return JSON.parse(printed) as Json;
  } catch {
    return undefined;
  }
}
