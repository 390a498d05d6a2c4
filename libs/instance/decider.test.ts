import assert from 'node:assert/strict';
import { at, digest, specified, uuid } from '../../test/support/given.js';
import {
  acknowledgedFromV1,
  DirectiveAcknowledged,
  instanceDecider,
  instanceEventSchemas,
  MAX_INSTANCES,
  type InstanceCommand,
  type InstanceEvent,
} from './decider.js';
import { test } from '../../test/support/testing.js';

const given = specified(instanceDecider, instanceEventSchemas);
const by = { actor: 'host', time: at(0) };
const root = digest('root');

const seen = (id: number): InstanceEvent => ({ type: 'InstanceSeen', data: { instanceId: uuid(id) }, ...by });
const recovered = (id: number): InstanceEvent => ({ type: 'HostRecovered', data: { instanceId: uuid(id) }, ...by });
const stale = (id: number): InstanceEvent => ({
  type: 'HostStale',
  data: { instanceId: uuid(id), leaseEndedAt: at(0) },
  ...by,
});
const acknowledged = (id: number, epoch: number): InstanceEvent => ({
  type: 'DirectiveAcknowledged',
  data: { instanceId: uuid(id), epoch, stateRoot: root, appliedAt: at(0), proven: false },
  ...by,
});
const see = (id: number): InstanceCommand => ({ type: 'see', instanceId: uuid(id), ...by });
const expireLease = (id: number): InstanceCommand => ({
  type: 'expire-lease',
  instanceId: uuid(id),
  leaseEndedAt: at(0),
  ...by,
});
const ack = (id: number, epoch: number, expectedRoot: typeof root | undefined = root): InstanceCommand => ({
  type: 'acknowledge',
  instanceId: uuid(id),
  epoch,
  stateRoot: root,
  appliedAt: at(0),
  expectedRoot,
  proven: false,
  ...by,
});

test('an instance is seen once, and acknowledges each epoch once', () => {
  given().when(see(1)).thenEvents(seen(1));
  given(seen(1)).when(see(1)).thenNothing();
  given().when(ack(1, 0)).thenEvents(seen(1), acknowledged(1, 0));
  given(seen(1)).when(ack(1, 3)).thenEvents(acknowledged(1, 3));
  for (const epoch of [2, 3]) given(seen(1), acknowledged(1, 3)).when(ack(1, epoch)).thenNothing();
  given(seen(1), acknowledged(1, 3)).when(ack(1, 4)).thenEvents(acknowledged(1, 4));
});

test('the first proof of an epoch is news, and only that', () => {
  const proves = (id: number, epoch: number): InstanceCommand =>
    ({ ...ack(id, epoch), proven: true }) as InstanceCommand;
  const proven = (id: number, epoch: number): InstanceEvent => {
    const event = acknowledged(id, epoch);
    return { ...event, data: { ...event.data, proven: true } } as InstanceEvent;
  };
  given(seen(1)).when(proves(1, 3)).thenEvents(proven(1, 3));
  given(seen(1), acknowledged(1, 3)).when(proves(1, 3)).thenEvents(proven(1, 3));
  for (const known of [[proven(1, 3)], [acknowledged(1, 3), proven(1, 3)]]) {
    given(seen(1), ...known)
      .when(proves(1, 3))
      .thenNothing();
    given(seen(1), ...known)
      .when(ack(1, 3))
      .thenNothing();
  }
  given(seen(1), acknowledged(1, 3)).when(proves(1, 2)).thenNothing();
});

test('another root, or none at that epoch, is refused', () => {
  given(seen(1))
    .when({ ...ack(1, 3), expectedRoot: undefined } as InstanceCommand)
    .thenRefused('ack_refused');
  given(seen(1))
    .when(ack(1, 3, digest('other')))
    .thenRefused('ack_refused');
});

test('an instance is lost once, and recovers when it is heard', () => {
  given().when(expireLease(1)).thenNothing();
  given(seen(1))
    .when(expireLease(1))
    .thenEvents({ ...stale(1) });
  given(seen(1), stale(1)).when(expireLease(1)).thenNothing();
  given(seen(1), stale(1)).when(see(1)).thenEvents(recovered(1));
  given(seen(1), acknowledged(1, 3), stale(1)).when(ack(1, 3)).thenEvents(recovered(1));
  given(seen(1), stale(1)).when(ack(1, 1)).thenEvents(recovered(1), acknowledged(1, 1));
  given(seen(1), stale(1), recovered(1)).when(expireLease(1)).thenEvents(stale(1));
});

test('a host has so many instances; a stale one makes way, a live one does not', () => {
  const full = Array.from({ length: MAX_INSTANCES }, (_, index) => seen(index));
  given(...full)
    .when(see(MAX_INSTANCES))
    .thenRefused('overloaded');
  given(...full)
    .when(see(5))
    .thenNothing();
  const roomy = [...full, stale(7), stale(3)];
  given(...roomy)
    .when(see(MAX_INSTANCES))
    .thenEvents(seen(MAX_INSTANCES));
  given(...roomy, seen(MAX_INSTANCES))
    .when(see(7))
    .thenEvents(recovered(7));
  given(...roomy, seen(MAX_INSTANCES))
    .when(see(3))
    .thenEvents(seen(3));
  given(...roomy, seen(MAX_INSTANCES), recovered(7))
    .when(see(3))
    .thenRefused('overloaded');
});

test('an acknowledgement of version 1 was not proven', () => {
  const { proven: _, ...older } = DirectiveAcknowledged.parse(acknowledged(1, 3).data);
  assert.deepEqual(DirectiveAcknowledged.parse(acknowledgedFromV1(older)), acknowledged(1, 3).data);
});
