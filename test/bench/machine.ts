import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';

/** The machine of the measurements. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly kernel: string;
  readonly fileSystem: string;
  /** How busy it was with other things in the minute before. */
  readonly loadBefore: number;
}

/** `folder`: the place of the measured stores. */
export function describeMachine(folder: string): Machine {
  const [first] = cpus();
  return {
    cpu: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    // The vendor's part of the version says nothing about its speed.
    kernel: `${process.platform} ${release().split('-')[0]}`,
    fileSystem: fileSystemOf(folder),
    loadBefore: loadavg()[0] ?? Number.NaN,
  };
}

function fileSystemOf(folder: string): string {
  try {
    const lines = execFileSync('df', ['-PT', folder], { encoding: 'utf8' }).trim().split('\n');
    return lines.at(-1)?.split(/\s+/)[1] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}
