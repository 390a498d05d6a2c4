import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { projectRoot } from '../../support/root.js';
import { startKeeper } from './kept.js';

const POM = join(projectRoot, 'test', 'engines', 'kafka', 'pom.xml');
const RESOLVE_MS = 10 * 60_000;
const POLL_MS = 100;
const LOG_BYTES = 3000;

/** The version of Kafka that the tests run, as the pom has it. */
export function kafkaVersion(): string {
  const version = /<kafka\.version>([^<]+)</.exec(readFileSync(POM, 'utf8'))?.[1];
  if (version === undefined) throw new Error(`${POM} names no kafka.version`);
  return version;
}

/** The folder of jars of an unpacked Apache Kafka. */
export function jarsOfHome(home: string): string {
  const libs = join(home, 'libs');
  if (!existsSync(libs) || !readdirSync(libs).some((name) => name.endsWith('.jar'))) {
    throw new Error('KAFKA_HOME has no jars in libs: it needs to be an unpacked Apache Kafka');
  }
  return libs;
}

function cacheFolder(): string {
  const digest = createHash('sha256').update(readFileSync(POM)).digest('hex').slice(0, 12);
  return join(projectRoot, 'node_modules', '.cache', `sallyport-kafka-${kafkaVersion()}-${digest}`);
}

/** Whether Maven has been here before, and is not needed again. */
export function jarsAreCached(): boolean {
  return existsSync(join(cacheFolder(), 'libs'));
}

/**
 * The folder of jars that Maven resolves for our pom: once, then from the cache, which changes its name with the pom. Any
 * number of processes may ask at once. The jars come into place by one rename, so a folder that is there is complete.
 */
export async function jarsFromMaven(): Promise<string> {
  const cache = cacheFolder();
  const libs = join(cache, 'libs');
  if (existsSync(libs)) return libs;
  mkdirSync(cache, { recursive: true });
  // One at a time, for Maven's own repository is not made for several. The lock goes with the process that holds it.
  const lock = new DatabaseSync(join(cache, 'lock.db'), { timeout: 0 });
  try {
    await locked(lock);
    if (existsSync(libs)) return libs;
    for (const name of readdirSync(cache)) {
      if (name.startsWith('part-')) rmSync(join(cache, name), { recursive: true, force: true });
    }
    const part = mkdtempSync(join(cache, 'part-'));
    await resolve(part);
    renameSync(part, libs);
    return libs;
  } finally {
    lock.close();
  }
}

async function locked(lock: DatabaseSync): Promise<void> {
  for (const endMs = performance.now() + RESOLVE_MS; ; await pause(POLL_MS)) {
    try {
      return lock.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
  }
}

/** With a keeper, so that no Maven goes on writing for a test that was killed. */
async function resolve(folder: string): Promise<void> {
  const keeper = await startKeeper();
  try {
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${folder}`];
    const logFile = join(keeper.folder, 'maven.log');
    const maven = await keeper.run({ command: ['mvn', '-B', '-q', '-f', POM, ...goal], logFile });
    const how = await keeper.ended(maven, RESOLVE_MS);
    const log = readFileSync(logFile, 'utf8').slice(0, LOG_BYTES);
    if (how !== 'exit code 0') throw new Error(`Maven could not resolve Apache Kafka: ${how}\n${log}`);
  } finally {
    await keeper.end();
  }
}
