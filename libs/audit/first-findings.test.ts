import assert from 'node:assert/strict';
import { asFirstResponse, makeWorld, replayOf, withEvents } from '../../test/support/audit-world.js';
import { test } from '../../test/support/testing.js';
import { attemptsOf } from './attempts.js';

/** Responses that version 1 recorded: their findings had the exact rule as their kind, and they were not searched. */

const COLLISION = { structuredContent: { a: { b: 1, 'b\u200b': 2 } } };

for (const [name, result, first, again] of [
  ['accepted', { content: [{ type: 'text', text: 'milk' }] }, [], 'same'],
  ['rejected by its content', COLLISION, [['envelope', 'key_collision', '/structuredContent/a']], 'same'],
  ['rejected by another rule', COLLISION, [['envelope', 'key_collision', '/structuredContent']], 'differs'],
  ['rejected by a limit', COLLISION, [['caps', 'too_large', '']], 'unchecked'],
  ['rejected as late', COLLISION, [['response', 'late', '']], 'unchecked'],
  ['rejected by a validator that died', COLLISION, [['response', 'validator_failed', '']], 'unchecked'],
] as const) {
  test(`a response that was ${name} is ${again} when it is validated again`, async (t) => {
    const world = await makeWorld(t);
    const { taskId, traceId } = await world.open();
    const { callId } = await world.authorize(taskId);
    await world.respond(taskId, callId, result);
    await world.caughtUp();
    const findings = first.map(([detector, kind, path]) => ({ detector, kind, path, severity: 'high' }));
    const log = withEvents(world.log, (event) =>
      event.type === 'ResponseValidated' ? asFirstResponse(event, findings) : event,
    );
    const { calls } = await replayOf(world, traceId, log);
    assert.equal(calls[0]?.response?.again, again);
    const [attempt] = attemptsOf(await log.read(`calls-${taskId}`)).attempts;
    const read = attempt?.response?.validated.findings ?? assert.fail();
    assert.ok(read.every(({ detector, kind }) => ['failure', 'cap'].includes(kind) && detector.includes('/')));
  });
}
