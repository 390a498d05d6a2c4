import { spawnSync } from 'node:child_process';
import { untilItAnswers } from './answers.js';
import { chooseKafka } from './choice.js';
import { dockerAnswers, startContainerKafka } from './container.js';
import { jarsAreCached, jarsFromMaven, jarsOfHome } from './jars.js';
import { javaProgram, startJavaKafka } from './java-kafka.js';

/** A real Kafka to test with. On brokers of others (`given`) nothing is known to be empty: use topics of your own names. */
export type TestKafka = OwnedKafka | OtherKafka;

interface Brokers {
  /** Each as `host:port`. */
  readonly brokers: readonly string[];
  /** Ends what was started, and leaves neither process nor file. */
  stop(): Promise<void>;
}

/** A broker that is not a process of ours: it cannot be broken on purpose. */
export interface OtherKafka extends Brokers {
  readonly owned: false;
  readonly kind: 'given' | 'docker';
}

/** One broker in a process of ours, on 127.0.0.1, with a folder of its own; both are gone when this process is. */
export interface OwnedKafka extends Brokers {
  readonly owned: true;
  readonly kind: 'kafka-home' | 'maven';
  /** Its log so far. */
  log(): string;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, on the same data and the same port; resolves when it answers. */
  start(): Promise<void>;
  /** SIGSTOP: connections stay, nothing is answered. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
}

export interface KafkaOptions {
  /**
   * `broker.session.timeout.ms`, by default Kafka's own 9 s. A killed broker returns when the session of its former
   * life is over. A broker that was frozen for longer is fenced for a moment when it thaws.
   */
  readonly sessionMs?: number;
  /** Changes server.properties of a broker in a process of ours: gets those of a single node, answers what replaces them. */
  readonly replace?: (own: Readonly<Record<string, string>>) => Readonly<Record<string, string>>;
}

const ANSWER_MS = 10_000;

/** Starts, or finds, the first Kafka that is there, in the order of `chooseKafka`. Throws when there is none. */
export async function startKafka({ sessionMs = 9000, replace }: KafkaOptions = {}): Promise<TestKafka> {
  const choice = await chooseKafka({
    environment: process.env,
    dockerAnswers,
    hasJava: () => runs(javaProgram(), '-version'),
    hasMaven: () => jarsAreCached() || runs('mvn', '-v'),
  });
  switch (choice.kind) {
    case 'given':
      await untilItAnswers(choice.brokers, ANSWER_MS);
      return { kind: 'given', owned: false, brokers: choice.brokers, stop: () => Promise.resolve() };
    case 'docker':
      return startContainerKafka(sessionMs);
    case 'kafka-home':
      return startJavaKafka('kafka-home', jarsOfHome(choice.home), sessionMs, replace);
    case 'maven':
      return startJavaKafka('maven', await jarsFromMaven(), sessionMs, replace);
  }
}

function runs(program: string, argument: string): boolean {
  return spawnSync(program, [argument], { stdio: 'ignore' }).status === 0;
}
