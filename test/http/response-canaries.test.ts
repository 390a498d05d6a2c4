import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { runEventsLane } from '../../libs/relay/events-lane.js';
import { eventsOf } from '../support/events.js';
import { allowedCall, OVERRIDE, respondTo, reviewedWith } from '../support/quarantine.js';
import { memoryTopic } from '../relay/memory-topic.js';
import { until } from '../relay/ground.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, expecting } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** The content of a response that holds an instruction leaves in its envelope alone. */

const CANARY = 'Canary7Q';
const HANDLINGS = ['quote', 'hold', 'refuse'] as const;
const lines: string[] = [];
let service: TestService;
before(async () => {
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  service = await startService({ logger });
  for (const handling of HANDLINGS) await reviewedWith(service, handling, handling);
  await activatePolicy(service);
});
after(() => service.stop());

test('no event, log line, record of Kafka or OCSF event has content of a response', async (t) => {
  const topic = memoryTopic();
  const { control, clock, stores } = service.service;
  const parts = { log: stores.log, clock, time: control.time, holder: randomUUID(), exclusive: false, takeoverMs: 200 };
  const lane = runEventsLane(parts, topic, { source: 'urn:test', checkpointMs: 50 });
  t.after(() => lane.stop());
  const text = `${CANARY} ${OVERRIDE} ${CANARY}`;
  const result = {
    content: [{ type: 'text', text }],
    structuredContent: { a: [text, JSON.stringify({ b: text })], [text]: { [`${CANARY}@example.org`]: 1 } },
  };
  const calls: Answered[] = [];
  for (const handling of HANDLINGS) {
    for (const response of [{ result }, { error: { code: 1, message: text, data: { [text]: text } } }]) {
      const call = await allowedCall(service, handling);
      const answer = await respondTo(service, call, response);
      assert.equal(JSON.stringify(answer).includes(CANARY), handling === 'quote');
      calls.push(call);
    }
  }
  const isSent = ({ callId }: Answered): boolean =>
    topic.records.some(({ value, headers }) =>
      headers?.['ce_type']?.startsWith('sallyport.ResponseValidated') === true ? value.includes(callId) : false,
    );
  await until(() => calls.every(isSent));
  const ocsf = expecting(200, await service.call('auditor', 'GET', '/v1/audit/events?format=ocsf&limit=1000'));
  const recorded = await Promise.all(calls.map(({ taskId }) => eventsOf(service, `calls-${taskId}`)));
  const asText = (value: unknown): string =>
    JSON.stringify(value, (_, member: unknown) => (typeof member === 'bigint' ? String(member) : member));
  const told = { kafka: asText(topic.records), ocsf: asText(ocsf), events: asText(recorded) };
  for (const [where, each] of Object.entries(told)) {
    assert.ok(
      calls.every(({ callId }) => each.includes(callId)),
      `${where} lacks a call`,
    );
    assert.ok(!each.includes(CANARY), `${where} has content`);
  }
  assert.ok(lines.every((line) => !line.includes(CANARY)));
});
