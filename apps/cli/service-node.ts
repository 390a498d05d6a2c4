import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { UsageError } from './world.js';

const OLDEST_NODE = [24, 15] as const;

/** This Node, or the one that the package brings for its platform if this one is too old for the service. */
export function nodeOfService(): string {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return process.execPath;
  const [platform, file] = process.platform === 'win32' ? ['win', 'node.exe'] : [process.platform, 'node'];
  try {
    const brought = createRequire(import.meta.url).resolve(`node-${platform}-${process.arch}/package.json`);
    return join(dirname(brought), 'bin', file);
  } catch {
    throw new UsageError(`the service needs Node ${OLDEST_NODE.join('.')} or newer, this is ${process.versions.node}`);
  }
}
