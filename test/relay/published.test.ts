import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Ajv } from 'ajv';
import type { Event } from '../../libs/event-log/event.js';
import type { RecordedEvent } from '../../libs/event-log/port.js';
import { canonicalJson } from '../../libs/kernel/canonical-json.js';
import { indexTemplate } from '../../libs/published/elasticsearch.js';
import { versionOf, type EventType } from '../../libs/streams/event-types.js';
import { isPseudonym } from '../../libs/payloads/pseudonym.js';
import { published } from '../../libs/published/publish.js';
import { SCHEMAS_POINTER } from '../../libs/published/schemas.js';
import { runEventsLane } from '../../libs/relay/events-lane.js';
import type { OutgoingRecord } from '../../libs/relay/port.js';
import { families, familyOf } from '../../libs/streams/catalogue.js';
import { namesIn, readJson } from '../golden/files.js';
import { liveThrough, restored } from '../golden/life.js';
import { movableClock } from '../support/clock.js';
import { decide } from '../support/calls.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';
import { expecting, openTask, readyWorld } from '../support/world.js';
import { until } from './ground.js';
import { memoryTopic } from './memory-topic.js';

/** What leaves for Kafka, of a life in which everything happens, is what `/asyncapi.json` says, and nothing else. */

const PUBLIC_URL = 'https://sallyport.example.com/pdp';
const clock = movableClock();
let service: TestService;
let described: Answered;
let records: readonly OutgoingRecord[];
before(async () => {
  service = await startService({ clock });
  await liveThrough(service, clock);
  await restored(service);
  described = expecting(200, await service.call('nobody', 'GET', '/asyncapi.json'));
  records = await relayed(service);
});
after(() => service.stop());

/** All records that the lane of events sends for a service. */
async function relayed({ service: { stores, clock: time, control } }: TestService): Promise<readonly OutgoingRecord[]> {
  const topic = memoryTopic();
  const end = await stores.log.end();
  const parts = { log: stores.log, clock: time, time: control.time, holder: randomUUID(), exclusive: true };
  const lane = runEventsLane(parts, topic, { source: 'urn:test', publicUrl: PUBLIC_URL });
  await until(() => lane.status().position >= end);
  await lane.stop();
  return topic.records;
}

const ajv = new Ajv({ strict: true, strictTypes: false, strictTuples: false, allErrors: true });

/** Checks the value of a record against the schema that its `ce_dataschema` points to. */
function assertDescribed({ value, headers = {} }: Pick<OutgoingRecord, 'value' | 'headers'>): void {
  const [document, name = ''] = (headers['ce_dataschema'] ?? '').split(SCHEMAS_POINTER);
  assert.equal(document, `${PUBLIC_URL}/asyncapi.json`);
  const schema: object | undefined = described.components.schemas[name];
  assert.ok(schema, `${name} is not described`);
  const validate = ajv.compile(schema);
  assert.ok(validate(JSON.parse(value)), `${headers['ce_type']}: ${JSON.stringify(validate.errors)}\n${value}`);
}

test('every record is exactly what the schema says that its dataschema points to', () => {
  const types = new Set(records.map(({ headers }) => headers?.['ce_type']));
  const wanted = Object.values(families).flatMap((family) =>
    family.role === 'bookkeeping'
      ? []
      : Object.entries<EventType>(family.types).map(([type, known]) => `${type}.v${versionOf(known)}`),
  );
  assert.deepEqual([...types].sort(), wanted.map((name) => `sallyport.${name}`).sort());
  for (const record of records) {
    assertDescribed(record);
    const { ce_type: type = '', ce_dataschema: schema = '' } = record.headers ?? {};
    assert.equal(type.slice('sallyport.'.length), schema.slice(schema.lastIndexOf('/') + 1));
  }
});

test('no described member is open, of any type, or a map', () => {
  const walk = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return;
    const { type, properties, additionalProperties, anyOf, oneOf, enum: values, const: value } = node as Answered;
    if (type === 'object' || properties !== undefined) assert.equal(additionalProperties, false, path);
    const isKnown = [type, anyOf, oneOf, values, value].some((each) => each !== undefined);
    assert.ok(isKnown, `${path} may be anything`);
    for (const [name, member] of Object.entries(properties ?? {})) walk(member, `${path}.${name}`);
    for (const member of [anyOf ?? [], oneOf ?? [], (node as Answered).items ?? []].flat()) walk(member, path);
  };
  for (const [name, schema] of Object.entries(described.components.schemas)) {
    if (/\.v\d+$/.test(name)) walk(schema, name);
  }
});

test('a decision says who asked for what, and under which trace', async () => {
  const task = records.map(({ value }) => JSON.parse(value)).find(({ pins }) => pins !== undefined);
  const record = records.find(({ headers }) => headers?.['ce_type'] === 'sallyport.CallDecided.v4');
  const data = JSON.parse(record?.value ?? '{}');
  assert.ok(isPseudonym(data.user.id), data.user.id);
  assert.deepEqual(
    [data.user, data.agent, data.effects],
    [{ id: task.user.id, attestedBy: 'local-host' }, 'assistant', ['read']],
  );
  assert.equal(data.traceId, task.traceId);
  assert.equal(data.traceId, record?.headers?.['ce_traceparent']?.split('-')[1]);
  assert.ok(data.basis.some(({ stream, revision }: Answered) => stream === `task-${data.taskId}` && revision === 1));
  assert.deepEqual(data.checks[0], { check: 'registered', outcome: 'pass' });
  const { attributes: _, purpose: __, ...shown } = data;
  assert.deepEqual(shown, data, 'payload never leaves');
});

test('the free texts of a host stay inside, also those that older events hold', () => {
  const old = ['OutcomeRecorded.v1.json', 'TaskClosed.v1.json'].map((name) => readJson<Event>('events', name));
  const sent = old.map((event) => JSON.stringify(published(recordedOf(event)).data));
  for (const text of ['counted', 'note-1', 'asked for', 'done']) {
    for (const value of [...records.map((record) => record.value), ...sent]) {
      assert.ok(!value.includes(`"${text}"`), `${text} in ${value}`);
    }
  }
});

const recordedOf = (event: Event): RecordedEvent => ({ ...event, json: canonicalJson(event), position: 1n });

test('events of every version are published in the form of today', () => {
  for (const name of namesIn('events')) {
    const event = readJson<Event>('events', name);
    if (familyOf(event.stream)?.role === 'bookkeeping') continue;
    const { schema, data } = published(recordedOf(event));
    const headers = { ce_type: name, ce_dataschema: `${PUBLIC_URL}/asyncapi.json${SCHEMAS_POINTER}${schema}` };
    assertDescribed({ value: JSON.stringify(data), headers });
    assert.notEqual(schema, 'Unreadable.v1');
  }
});

test('an event that cannot be read is published as its reason alone', () => {
  const event = readJson<Event>('events', 'TaskClosed.v1.json');
  const unread = (more: object) => published(recordedOf({ ...event, ...more }));
  for (const [more, unreadable] of [
    [{ type: 'TaskPaused' }, 'unknown_type'],
    [{ stream: 'nothing-1' }, 'unknown_type'],
    [{ schemaVersion: 99 }, 'newer_version'],
    [{ type: 'TaskClosed', data: 'canary' }, 'malformed'],
  ] as const) {
    const { schema, data } = unread(more);
    assert.deepEqual([schema, data], ['Unreadable.v1', { unreadable }]);
  }
});

/** The paths of all members, as an index makes fields of them: a list has the path of its items. */
function pathsIn(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => pathsIn(item, path));
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, member]) => pathsIn(member, `${path}.${name}`));
}

test('a thousand tasks make no more fields in an index than one, and each is in the template', async (t) => {
  const busy = await startService();
  t.after(() => busy.stop());
  await readyWorld(busy);
  const { template } = indexTemplate() as Answered;
  const isMapped = (path: string): boolean => {
    let fields = template.mappings.properties;
    for (const name of path.slice(1).split('.')) {
      if (!Object.hasOwn(fields ?? {}, name)) return false;
      fields = fields[name].properties;
    }
    return true;
  };
  const tasks = [];
  for (let number = 0; number < 1000; number += 1) tasks.push(await openTask(busy));
  for (const task of tasks) await decide(busy, task);
  const sent = await relayed(busy);
  const paths = new Set(sent.flatMap(({ value }) => pathsIn(JSON.parse(value))));
  assert.equal(sent.filter(({ headers }) => headers?.['ce_type'] === 'sallyport.CallDecided.v4').length, 1000);
  assert.deepEqual(
    [...paths].filter((path) => !isMapped(path)),
    [],
  );
  assert.ok(paths.size <= template.settings['index.mapping.total_fields.limit']);
  assert.ok(template.settings['index.mapping.total_fields.limit'] < 300);
});
