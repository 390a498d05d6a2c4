import assert from 'node:assert/strict';
import { z } from 'zod';
import { sealEvent } from '../event-log/event.js';
import { toInstant } from '../kernel/time.js';
import { categoriesOf, families, familyOf, familyOfType, type EventOf, type FamilyOf } from './catalogue.js';
import { foldedStreams } from './declare.js';
import { changed, unchanged, type EventsIn } from './event-types.js';
import { sealFact } from './facts.js';
import { UnreadableEvent, type UnreadableReason } from './unreadable.js';
import { test } from '../../test/support/testing.js';

/** A family whose one type has changed twice: a number of degrees became a text with a unit, then two members. */
const Measured = z.strictObject({ degrees: z.number(), unit: z.enum(['C', 'F']) });
const types = {
  ...unchanged({ Forgotten: z.strictObject({ all: z.literal(true) }) }),
  Measured: changed(
    Measured,
    (data) => ({ text: `${(data as { degrees: number }).degrees} C` }),
    (data) => {
      const [degrees, unit] = (data as { text: string }).text.split(' ');
      return { degrees: Number(degrees), unit };
    },
  ),
};
const weather = foldedStreams('weather', {
  id: 'place',
  role: 'evidence',
  writers: ['control'],
  types,
  decider: {
    initialState: (): readonly string[] => [],
    evolve: (seen, event: EventsIn<typeof types>) =>
      event.type === 'Forgotten' ? [] : [...seen, `${event.data.degrees}${event.data.unit}`],
  },
});

const sealed = (type: string, schemaVersion: number, data: unknown, stream = 'weather-oslo') => {
  const time = toInstant(0);
  return sealEvent({ stream, revision: 1, type, schemaVersion, time, actor: 'system:test', data }).json;
};
const stored = (...texts: readonly string[]) => texts.map((json) => ({ json }));

test('events of every older version are folded as if they were written today', () => {
  const history = stored(
    sealed('Measured', 1, { degrees: 4 }),
    sealed('Measured', 2, { text: '50 F' }),
    sealed('Measured', 3, { degrees: 7, unit: 'C' }),
  );
  assert.deepEqual(weather.fold(history), ['4C', '50F', '7C']);
  assert.deepEqual(weather.fold([...history, ...stored(sealed('Forgotten', 1, { all: true }))]), []);
});

test('an older event is read at the version of today, under the id of its text', () => {
  const json = sealed('Measured', 1, { degrees: 4 });
  const { id } = JSON.parse(json) as { id: string };
  const read = weather.readWhole(json);
  assert.ok(read.ok);
  assert.deepEqual([read.value.schemaVersion, read.value.id], [3, id]);
  assert.deepEqual(read.value.data, { degrees: 4, unit: 'C' });
});

test('what cannot be read ends in an error that names the place and none of the data', () => {
  const cases: readonly [UnreadableReason, string][] = [
    ['newer_version', sealed('Measured', 4, { degrees: 'secret' })],
    ['unknown_type', sealed('Guessed', 1, { degrees: 'secret' })],
    ['unknown_type', sealed('toString', 1, { degrees: 'secret' })],
    ['unknown_type', sealed('Measured', 3, { degrees: 'secret' }, 'climate-oslo')],
    ['malformed', sealed('Measured', 0, { degrees: 'secret' })],
    ['malformed', sealed('Measured', 1.5, { degrees: 'secret' })],
    ['malformed', sealed('Measured', 3, 'secret')],
    ['malformed', sealed('Forgotten', 1, ['secret'])],
  ];
  for (const [reason, json] of cases) {
    const isExpected = (error: unknown) =>
      error instanceof UnreadableEvent && error.reason === reason && !error.message.includes('secret');
    assert.throws(() => weather.read(json), isExpected, json);
    assert.throws(() => weather.fold(stored(json)), isExpected, json);
    const whole = weather.readWhole(json);
    assert.ok(!whole.ok && whole.error.reason === reason, json);
  }
});

test('only reading whole looks at every member', () => {
  const json = sealed('Measured', 3, { degrees: 'much', unit: 'C' });
  assert.equal(weather.read(json).type, 'Measured');
  const whole = weather.readWhole(json);
  assert.ok(!whole.ok && whole.error.reason === 'malformed');
  const broken = weather.readWhole('{"stream":');
  assert.ok(!broken.ok && broken.error.reason === 'malformed');
});

test('a fact is sealed at the version of its type, and only in a stream of its family', () => {
  const fact = { type: 'TaskClosed', data: { taskId: 'x' }, actor: 'host:h', time: toInstant(0) };
  assert.equal(sealFact('task-x', 1, fact).event.schemaVersion, 2);
  for (const stream of ['calls-x', 'weather-x', 'task', 'directives-x', 'directives'])
    assert.throws(() => sealFact(stream, 1, fact), RangeError, stream);
});

test('streams are named and taken apart in one place', () => {
  assert.equal(families.task.stream('a-b'), 'task-a-b');
  assert.equal(families.task.idOf('task-a-b'), 'a-b');
  assert.equal(families.task.idOf('tasks-a'), undefined);
  assert.equal(families.directives.stream(), 'directives');
  assert.equal(families.directives.idOf('directives'), undefined);
  assert.equal(familyOf('directives'), families.directives);
  for (const stream of ['directives-x', 'task', 'constructor-x', '']) assert.equal(familyOf(stream), undefined, stream);
});

test('types lead to the categories that hold them', () => {
  assert.equal(familyOfType('HostStale'), families.instances);
  assert.equal(familyOfType('constructor'), undefined);
  assert.deepEqual(categoriesOf(['HostStale', 'InstanceSeen', 'TaskJoined']), ['instances', 'trace']);
  assert.equal(categoriesOf(['HostStale', 'NeverHeardOf']), undefined);
});

test('the compiler knows the events of a type and the family that it belongs to', () => {
  const family: FamilyOf<'TaskOpened'> = 'task';
  const stale: EventOf<'HostStale'>['data'] = { instanceId: 'i', leaseEndedAt: toInstant(0) };
  assert.deepEqual([family, Object.keys(stale)], ['task', ['instanceId', 'leaseEndedAt']]);
  // @ts-expect-error the type belongs to another family
  const wrong: FamilyOf<'TaskOpened'> = 'calls';
  assert.ok(wrong);
});
