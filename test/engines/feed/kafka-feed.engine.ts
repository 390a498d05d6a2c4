import { randomUUID } from 'node:crypto';
import { kafkaFeed } from '../../../libs/feed/kafka/kafka-feed.js';
import { openSender } from '../../../libs/kafka/sender.js';
import { directivesOutlet } from '../../../libs/relay/outlets.js';
import { directiveFeedContract } from '../../contracts/directive-feed.js';
import { startKafka } from '../kafka/kafka.js';
import { after, test } from '../../support/testing.js';

/** The directive feed over Kafka keeps the port's contract; interrupted is a broker that is killed and started again. */

const SEND_MS = 5_000;
const PREPARE_MS = 30_000;

const kafka = await startKafka({ sessionMs: 2000 });
after(() => kafka.stop());

if (kafka.owned) {
  directiveFeedContract('kafka', async () => {
    const topic = `test-directives-${randomUUID()}`;
    const connection = { brokers: [...kafka.brokers], clientId: 'feed-test' };
    await directivesOutlet(connection, { replication: 1 }, topic).prepare(AbortSignal.timeout(PREPARE_MS));
    let sender = await openSender(connection, topic, SEND_MS);
    return {
      feed: kafkaFeed({ connection, topic }),
      publish: (beat) => sender.send([{ key: beat.directive?.id ?? 'heartbeat', value: JSON.stringify(beat) }]),
      async interrupt() {
        sender.discard();
        await kafka.kill();
        await kafka.start();
        sender = await openSender(connection, topic, SEND_MS);
      },
      dispose: () => Promise.resolve(sender.discard()),
    };
  });
} else test('the directive feed over Kafka', (t) => t.skip('a broker of others cannot be interrupted'));
