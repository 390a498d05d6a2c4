import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../apps/cli/program.js';
import type { TestContext } from '../support/testing.js';

export interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The command line on this machine, with a data folder. It speaks to no service. */
export const sallyport = (dataDir: string, ...args: string[]): Promise<Printed> => sallyportIn({}, dataDir, ...args);

/** The same with further settings. */
export async function sallyportIn(
  env: Readonly<Record<string, string>>,
  dataDir: string,
  ...args: string[]
): Promise<Printed> {
  let [out, err] = ['', ''];
  const code = await run(args, {
    env: { PATH: process.env['PATH'], SALLYPORT_DATA: dataDir, ...env },
    cwd: tmpdir(),
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    readStdin: () => Promise.reject(new Error('nothing is read')),
  });
  return { code, out, err };
}

/** A folder for backups and restored data, gone after the test. */
export function folderOf(t: TestContext): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-backup-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => join(folder, name);
}
