import assert from 'node:assert/strict';
import { callsDecider } from '../../libs/calls/decider.js';
import { capabilityDecider } from '../../libs/capability/decider.js';
import { directiveDecider } from '../../libs/directive/decider.js';
import { categoryOf, parseEvent, type Event } from '../../libs/event-log/event.js';
import { verifySealed } from '../../libs/event-log/verify.js';
import { instanceDecider } from '../../libs/instance/decider.js';
import { canonicalJson } from '../../libs/kernel/canonical-json.js';
import { policyDecider } from '../../libs/policy/decider.js';
import { publisherDecider } from '../../libs/publisher/decider.js';
import { principalDecider } from '../../libs/principal/decider.js';
import { taskDecider } from '../../libs/task/decider.js';
import { familyOf } from '../../libs/streams/catalogue.js';
import { movableClock } from '../support/clock.js';
import { startService } from '../support/service.js';
import { EVENT_SCHEMAS } from './event-schemas.js';
import { namesIn, readJson } from './files.js';
import { liveThrough, relayThrough, restored } from './life.js';
import { test } from '../support/testing.js';

/**
 * Every written event has to be readable for ever: one event of each type and version, kept as it was written. A file
 * is never changed. Data of another shape is the next version, with a file of its own and an upcaster.
 */
const files = namesIn('events');
const events = files.map((name) => readJson<Event>('events', name));

test('every event type has its file, named after its type and version', () => {
  assert.deepEqual(
    files,
    events.map(({ type, schemaVersion }) => `${type}.v${schemaVersion}.json`),
  );
  assert.deepEqual([...new Set(events.map(({ type }) => type))].sort(), Object.keys(EVENT_SCHEMAS).sort());
});

test('every golden event is what its schema says, and nothing is lost when it is read', () => {
  for (const event of events) assertParses(today(event));
});

test('the schemas refuse what they do not know', () => {
  for (const { type, data } of events.map(today)) {
    const schema = EVENT_SCHEMAS[type];
    assert.equal(schema?.safeParse({ ...(data as object), unknown: true }).success, false, type);
    assert.equal(schema?.safeParse({}).success, false, type);
  }
});

test('the id of every golden event is still that of its content', () => {
  for (const event of events) {
    const { id, stream, revision, type } = event;
    assert.deepEqual(verifySealed(canonicalJson(event)), { id, stream, revision, type });
  }
});

test('every golden event is still folded by its decider', () => {
  const capability = folded(capabilityDecider, 'capability');
  const version = capability?.versions.get('1.0.0');
  assert.equal(capability?.id, 'memory');
  assert.deepEqual(capability?.publishers, ['acme']);
  assert.equal(capability?.driftSuspensions.length, 1);
  assert.equal(version?.status, 'revoked');
  assert.deepEqual(version?.review?.exceptions, ['signature_missing']);
  assert.deepEqual([...(version?.observed.values() ?? [])], [{ snapshot: true, reporters: [] }]);
  assert.equal(version?.suspension, undefined);

  const { active } = folded(policyDecider, 'policy');
  assert.deepEqual([active?.policyVersion, active?.status, active?.proposedBy], [1, 'approved', 'local-registrar']);

  const publisher = folded(publisherDecider, 'publisher');
  assert.equal(publisher?.revoked, true);
  assert.deepEqual(
    [...(publisher?.keys.values() ?? [])].map(({ state }) => state),
    ['revoked'],
  );

  const principal = folded(principalDecider, 'principal');
  assert.deepEqual(principal?.host?.capabilities, ['memory']);
  assert.equal(principal?.tokenDigest, golden<{ tokenDigest: string }>('TokenRotated').data.tokenDigest);
  assert.equal(principal?.removed, true);

  const task = folded(taskDecider, 'task');
  assert.deepEqual([...(task?.pins.keys() ?? [])], ['memory']);
  assert.equal(task?.counted.get(0)?.size, 1);
  assert.equal(task?.closed, true);
  assert.equal(task?.traceId, golden('TaskJoined').traceId);

  const [call] = folded(callsDecider, 'calls').calls.values();
  assert.equal(call?.allowed?.decided.decision, 'allow');
  assert.equal(call?.response?.validated.verdict, 'accepted');
  assert.equal(call?.outcome?.recorded.status, 'succeeded');
  const [newer] = states(callsDecider, 'calls')[1]?.calls.values() ?? [];
  assert.equal(newer?.allowed?.decided.decision, 'allow');
  assert.equal(newer?.outcome?.recorded.status, 'succeeded');

  const directives = folded(directiveDecider, 'directives');
  assert.equal(directives.epoch, 2);
  assert.equal(directives.active.size, 0);
  assert.equal(directives.lastIssued.get('version:memory@1.0.0'), 1);

  const [instance] = folded(instanceDecider, 'instances').values();
  assert.deepEqual(instance, { stale: false, acknowledged: 4, proven: 4 });
});

test('what a service writes is what the schemas say, and it writes every type', async () => {
  const clock = movableClock();
  const service = await startService({ clock });
  try {
    await liveThrough(service, clock);
    await relayThrough(service);
    await restored(service);
    const written = (await service.service.stores.log.readAll({ after: 0n })).map(({ json }) => parseEvent(json));
    for (const event of written) assertParses(today(event));
    assert.deepEqual([...new Set(written.map(({ type }) => type))].sort(), Object.keys(EVENT_SCHEMAS).sort());
  } finally {
    await service.stop();
  }
});

/** A golden event as readers see it: older data is brought to the version of today. */
function today(event: Event): Event {
  const read = familyOf(event.stream)?.read(canonicalJson(event));
  assert.ok(read, event.type);
  return read;
}

function assertParses({ type, data }: Event): void {
  const parsed = EVENT_SCHEMAS[type]?.safeParse(data);
  assert.ok(parsed?.success, `${type}: ${JSON.stringify(parsed?.error?.issues)}`);
  assert.equal(canonicalJson(parsed.data), canonicalJson(data), type);
}

function golden<Data>(type: string): Event<string, Data> {
  const event = events.find((each) => each.type === type);
  assert.ok(event, type);
  return event as Event<string, Data>;
}

interface Folder<State> {
  initialState(): State;
  evolve(state: State, event: never): State;
}

/** The events of a stream, one for each revision: there is one stream of directives in every life. */
function oldestEach(stream: readonly Event[]): Event[] {
  const byVersion = stream.toSorted((a, b) => b.schemaVersion - a.schemaVersion);
  return [...new Map(byVersion.map((event) => [event.revision, event])).values()];
}

/** The state of the oldest golden stream of a category. */
function folded<State>(decider: Folder<State>, category: string): State {
  const [state] = states(decider, category);
  assert.ok(state !== undefined, category);
  return state;
}

/**
 * The golden events of a category, folded as readers see them: one state for each stream, the oldest first. The files of
 * newer versions come from another stream. It is left out if its first event is not among them.
 */
function states<State>(decider: Folder<State>, category: string): State[] {
  const own = events.filter(({ stream }) => categoryOf(stream) === category);
  return [...Map.groupBy(own, ({ stream }) => stream).values()]
    .map((stream) => oldestEach(stream).sort((a, b) => a.revision - b.revision))
    .filter(([first]) => first?.revision === 1)
    .sort(([a], [b]) => ((a?.time ?? '') < (b?.time ?? '') ? -1 : 1))
    .map((stream) =>
      stream.reduce((state, event) => decider.evolve(state, today(event) as never), decider.initialState()),
    );
}
