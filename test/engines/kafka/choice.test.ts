import assert from 'node:assert/strict';
import { chooseKafka, type Machine } from './choice.js';
import { describe, test } from '../../support/testing.js';

const machine = (environment: Record<string, string>, ...has: ('docker' | 'java' | 'maven')[]): Machine => ({
  environment,
  dockerAnswers: () => Promise.resolve(has.includes('docker')),
  hasJava: () => has.includes('java'),
  hasMaven: () => has.includes('maven'),
});

describe('which Kafka the tests take', () => {
  const all = { SALLYPORT_TEST_KAFKA: 'a:9092, b:9093', KAFKA_HOME: '/opt/kafka' };
  const home = { KAFKA_HOME: '/opt/kafka' };

  test('the first that is there, in order', async () => {
    assert.deepEqual(await chooseKafka(machine(all, 'docker', 'java', 'maven')), {
      kind: 'given',
      brokers: ['a:9092', 'b:9093'],
    });
    assert.deepEqual(await chooseKafka(machine(home, 'docker', 'java', 'maven')), { kind: 'docker' });
    assert.deepEqual(await chooseKafka(machine(home, 'java', 'maven')), { kind: 'kafka-home', home: '/opt/kafka' });
    assert.deepEqual(await chooseKafka(machine({}, 'java', 'maven')), { kind: 'maven' });
  });

  test('none: the error names all four', async () => {
    for (const nothing of [machine({}), machine(home, 'maven'), machine({}, 'java')]) {
      await assert.rejects(chooseKafka(nothing), /SALLYPORT_TEST_KAFKA.*Docker.*KAFKA_HOME.*Maven/);
    }
  });

  test('brokers that are no host:port are not taken for some', async () => {
    await assert.rejects(chooseKafka(machine({ SALLYPORT_TEST_KAFKA: 'localhost' })), /host:port/);
  });
});
