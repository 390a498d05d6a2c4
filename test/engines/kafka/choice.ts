/** Which Kafka the tests take, of what the machine has. */

export type KafkaChoice =
  | { readonly kind: 'given'; readonly brokers: readonly string[] }
  | { readonly kind: 'docker' }
  | { readonly kind: 'kafka-home'; readonly home: string }
  | { readonly kind: 'maven' };

/** The questions about the machine. Each is asked only if the earlier choices fail. */
export interface Machine {
  readonly environment: Readonly<Record<string, string | undefined>>;
  dockerAnswers(): Promise<boolean>;
  hasJava(): boolean;
  hasMaven(): boolean;
}

/** Takes the first that is there: brokers that run already, Docker, an unpacked Kafka, Maven. Throws if none is. */
export async function chooseKafka(machine: Machine): Promise<KafkaChoice> {
  const { SALLYPORT_TEST_KAFKA: given = '', KAFKA_HOME: home = '' } = machine.environment;
  if (given !== '') return { kind: 'given', brokers: brokerList(given) };
  if (await machine.dockerAnswers()) return { kind: 'docker' };
  if (machine.hasJava()) {
    if (home !== '') return { kind: 'kafka-home', home };
    if (machine.hasMaven()) return { kind: 'maven' };
  }
  throw new Error(
    'no Kafka to test with. Any one of these will do: SALLYPORT_TEST_KAFKA with the host:port of running brokers; ' +
      'a Docker engine; KAFKA_HOME with an unpacked Apache Kafka, and Java 17; Java 17 and Maven.',
  );
}

function brokerList(text: string): string[] {
  const brokers = text.split(',').map((broker) => broker.trim());
  for (const broker of brokers) {
    if (!/^\S+:\d{1,5}$/.test(broker)) throw new Error('SALLYPORT_TEST_KAFKA needs host:port, or several with commas');
  }
  return brokers;
}
