import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { untilItAnswers } from './answers.js';
import type { KafkaOptions, OwnedKafka } from './kafka.js';
import { startKeeper, type Kept } from './kept.js';
import { quietPort } from './ports.js';
import { singleNode } from './properties.js';

const START_MS = 60_000;
const LOG_CHARACTERS = 3000;
/** Any will do; the cluster lives as long as its folder. */
const CLUSTER_ID = 'c2FsbHlwb3J0LXRlc3QtMQ';
/** Quick to start rather than quick in the end, and nothing is left outside of the folder. */
const JVM = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];

/** The `java` that JAVA_HOME names, else the one on the path. */
export function javaProgram(): string {
  const { JAVA_HOME: home = '' } = process.env;
  return home === '' ? 'java' : join(home, 'bin', 'java');
}

/** Starts a broker from a folder of jars, in a process of ours, and waits until it answers. */
export async function startJavaKafka(
  kind: OwnedKafka['kind'],
  libs: string,
  sessionMs: number,
  replace: KafkaOptions['replace'] = () => ({}),
): Promise<OwnedKafka> {
  const keeper = await startKeeper();
  const { folder } = keeper;
  const [logFile, propertiesFile] = [join(folder, 'kafka.log'), join(folder, 'server.properties')];
  const address = `127.0.0.1:${await quietPort()}`;
  const java = (main: string, ...args: string[]): [string, ...string[]] => [
    ...([javaProgram(), ...JVM, `-Djava.io.tmpdir=${folder}`, '-cp', join(libs, '*'), main, ...args] as const),
  ];
  const logged = (): string => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  let broker: Kept | undefined;

  const running = (): Kept => {
    if (broker === undefined || broker.gone() !== undefined) throw new Error('the broker does not run');
    return broker;
  };
  /** The output of the program belongs to its error. */
  const explained = async (doing: Promise<unknown>): Promise<void> => {
    await doing.catch((error: Error) => {
      throw new Error(`${error.message}\n${logged().slice(-LOG_CHARACTERS)}`, { cause: error });
    });
  };
  const format = async (): Promise<void> => {
    const command = java('kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', propertiesFile);
    const how = await keeper.ended(await keeper.run({ command, logFile }));
    if (how !== 'exit code 0') throw new Error(`formatting the storage of Kafka: ${how}`);
  };
  const start = async (): Promise<void> => {
    if (broker !== undefined && broker.gone() === undefined) throw new Error('the broker runs already');
    const started = await keeper.run({ command: java('kafka.Kafka', propertiesFile), logFile });
    broker = started;
    await untilItAnswers([address], START_MS, () => started.gone());
  };

  try {
    const controller = `127.0.0.1:${await quietPort()}`;
    const properties = singleNode({ listen: address, advertised: address, controller, sessionMs });
    const lines = Object.entries({ ...properties, ...replace(properties), 'log.dirs': join(folder, 'data') });
    writeFileSync(propertiesFile, lines.map(([name, value]) => `${name}=${value}\n`).join(''));
    await explained(format());
    await explained(start());
  } catch (error) {
    await keeper.end();
    throw error;
  }

  return {
    kind,
    owned: true,
    brokers: [address],
    log: logged,
    stop: () => keeper.end(),
    async kill() {
      const killed = running();
      process.kill(killed.pid, 'SIGKILL');
      await keeper.ended(killed);
    },
    start: () => explained(start()),
    freeze: () => void process.kill(running().pid, 'SIGSTOP'),
    thaw: () => void process.kill(running().pid, 'SIGCONT'),
  };
}
