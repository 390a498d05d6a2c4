import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { stop } from '../support/calls.js';
import { eventsOf } from '../support/events.js';
import { refused } from '../support/problems.js';
import { allowedCall, callIn, heldCall, OVERRIDE, respondTo, reviewedWith, textResult } from '../support/quarantine.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, expecting, openTask } from '../support/world.js';
import { after, before, describe, test } from '../support/testing.js';

/** Each sentence of the contract about responses that hold an instruction. */

let service: TestService;
before(async () => {
  service = await startService({ sealing: undefined });
  for (const handling of ['quote', 'hold', 'refuse'] as const) await reviewedWith(service, handling, handling);
  await reviewedWith(service, 'unsaid');
  await activatePolicy(service);
});
after(() => service.stop());

const respond = (call: Answered, response: Answered) => respondTo(service, call, response);
const fetched = (call: Answered, who: Answered = 'host') =>
  service.call(who, 'GET', `/v1/calls/${call.callId}/response?taskId=${call.taskId}`);
const fetch = async (call: Answered): Promise<Answered> => expecting(200, await fetched(call));
const release = (call: Answered, who: Answered = 'reviewer', reason = 'it is a report about an attack') =>
  service.call(who, 'POST', `/v1/calls/${call.callId}/release`, { taskId: call.taskId, reason });
const taskOf = async ({ taskId }: Answered): Promise<Answered> =>
  expecting(200, await service.call('host', 'GET', `/v1/tasks/${taskId}`));
const recorded = async (call: Answered, type: string): Promise<Answered> => {
  const events: readonly Answered[] = await eventsOf(service, `calls-${call.taskId}`);
  return events.find((event) => event.type === type && event.data.callId === call.callId);
};
const evidence = async ({ callId }: Answered): Promise<Answered> =>
  expecting(200, await service.call('auditor', 'GET', `/v1/audit/calls/${callId}`));

/** The text of each flag of an answer. */
const flaggedTexts = ({ content }: Answered): string[] =>
  content.flagged.map(({ part, span: [start, end] }: Answered) => content.parts[part].text.slice(start, end));
const markerOf = ({ content }: Answered): string => `^${content.boundary.slice(0, 4)}`;

describe('quote', () => {
  test('delivers the content as marked evidence: quarantined, flagged, with the marker in place of white space', async () => {
    const call = await allowedCall(service, 'quote');
    const answer = await respond(call, textResult(`Notes.\n\n${OVERRIDE}\n\nMilk and bread.`, 'a second part'));
    assert.equal(answer.verdict, 'quarantined');
    assert.equal(answer.held, undefined);
    assert.equal(answer.content.quarantined, true);
    const [finding] = answer.findings;
    assert.deepEqual([finding.kind, finding.severity, finding.path], ['override', 'high', '/content/0/text']);
    const marker = markerOf(answer);
    for (const [index, text] of flaggedTexts(answer).entries()) {
      assert.doesNotMatch(text, /\s/);
      assert.equal(answer.content.flagged[index].part, 0);
      assert.ok(answer.findings[answer.content.flagged[index].finding]);
    }
    assert.ok(
      flaggedTexts(answer).some((text) => text.toLowerCase().startsWith(`ignore${marker}all${marker}previous`)),
    );
    const [first, second] = answer.content.parts;
    assert.match(first.text, /\nNotes\.\n\n/);
    assert.match(first.text, /\n\nMilk and bread\.\n/);
    assert.match(second.text, /\na second part\n/);
  });

  test('a repeat of the same body answers the same', async () => {
    const call = await allowedCall(service, 'quote');
    const first = await respond(call, textResult(OVERRIDE));
    assert.deepEqual(await respond(call, textResult(OVERRIDE)), first);
    assert.deepEqual(await fetch(call), first);
  });

  test('is the handling of a version whose review names none, because the setting says so', async () => {
    const call = await allowedCall(service, 'unsaid');
    assert.equal((await respond(call, textResult(OVERRIDE))).content.quarantined, true);
    assert.equal((await recorded(call, 'ResponseValidated')).data.handling, 'quote');
  });
});

describe('hold', () => {
  test('delivers no content until somebody releases it, and then marks it as under quote', async () => {
    const call = await allowedCall(service, 'hold');
    const answer = await respond(call, textResult(OVERRIDE));
    assert.deepEqual([answer.verdict, answer.held, answer.content], ['quarantined', true, undefined]);
    assert.equal(answer.findings[0].kind, 'override');
    assert.deepEqual(await fetch(call), answer);
    assert.deepEqual(await respond(call, textResult(OVERRIDE)), answer);
    const released = expecting(200, await release(call));
    assert.equal(released.releasedBy, 'local-reviewer');
    const delivered = await fetch(call);
    assert.deepEqual(
      [delivered.verdict, delivered.held, delivered.content.quarantined],
      ['quarantined', undefined, true],
    );
    assert.ok(flaggedTexts(delivered).every((text) => !/\s/.test(text)));
    assert.deepEqual([delivered.rawDigest, delivered.position], [answer.rawDigest, answer.position]);
    assert.deepEqual(await respond(call, textResult(OVERRIDE)), delivered);
  });

  test('the host waits for the release', async () => {
    const call = await heldCall(service, 'hold');
    const waited = (waitMs: number) =>
      service.call('host', 'GET', `/v1/calls/${call.callId}/response?taskId=${call.taskId}&waitMs=${waitMs}`);
    refused(400, 'malformed_request', await waited(25_001));
    assert.equal(expecting(200, await waited(1)).held, true);
    const waiting = waited(20_000);
    expecting(200, await release(call));
    const delivered = expecting(200, await waiting);
    assert.deepEqual([delivered.held, delivered.content.quarantined], [undefined, true]);
    assert.deepEqual(expecting(200, await waited(20_000)), delivered);
  });

  test('is released once, by a reviewer or an operator, and who did it is recorded', async () => {
    const call = await heldCall(service, 'hold');
    for (const who of ['host', 'registrar', 'auditor', 'admin'] as const)
      refused(403, 'forbidden', await release(call, who));
    const first = expecting(200, await release(call, 'operator', 'the first'));
    assert.deepEqual(expecting(200, await release(call, 'reviewer', 'the second')), first);
    const { actor, data, traceId } = await recorded(call, 'ResponseReleased');
    assert.deepEqual([actor, data.reason, traceId], ['local-operator', 'the first', call.traceId]);
    const { response } = await evidence(call);
    const { by, reason, position } = response.released;
    assert.deepEqual([by, reason, position], ['local-operator', 'the first', first.position]);
  });

  test('a response that is not held cannot be released', async () => {
    const quoted = await heldCall(service, 'quote');
    refused(409, 'invalid_transition', await release(quoted));
    const refusedCall = await heldCall(service, 'refuse');
    refused(409, 'invalid_transition', await release(refusedCall));
    const benign = await heldCall(service, 'hold', textResult('milk'));
    refused(409, 'invalid_transition', await release(benign));
    const unanswered = await allowedCall(service, 'hold');
    refused(409, 'invalid_transition', await release(unanswered));
    refused(404, 'not_found', await release({ ...unanswered, taskId: randomUUID() }));
  });

  test('another host cannot fetch it, and nothing is there before the response', async () => {
    const call = await allowedCall(service, 'hold');
    refused(404, 'not_found', await fetched(call));
    refused(404, 'not_found', await fetched({ ...call, taskId: randomUUID() }));
    refused(403, 'forbidden', await fetched(call, 'reviewer'));
    await respond(call, textResult(OVERRIDE));
    const principal = { name: 'other-host', roles: ['host'] };
    expecting(201, await service.call('admin', 'POST', '/v1/principals', principal));
    const other = expecting(200, await service.call('admin', 'POST', '/v1/principals/other-host/rotate', {}));
    refused(404, 'not_found', await fetched(call, other));
  });

  for (const when of ['before', 'after'] as const) {
    test(`a stop ${when} the release delivers nothing`, async () => {
      const call = await heldCall(service, 'hold');
      if (when === 'after') expecting(200, await release(call));
      await stop(service, { type: 'task', taskId: call.taskId }, { lift: true });
      if (when === 'before') refused(409, 'invalid_transition', await release(call));
      const answer = await fetch(call);
      const kinds = answer.findings.map(({ kind }: Answered) => kind);
      if (when === 'before') return assert.deepEqual([answer.verdict, answer.content], ['quarantined', undefined]);
      assert.deepEqual([answer.verdict, answer.content, kinds[0]], ['rejected', undefined, 'disabled']);
      assert.equal((await respond(call, textResult(OVERRIDE))).content, undefined);
    });

    test(`the end of its task ${when} the release delivers nothing`, async () => {
      const call = await heldCall(service, 'hold');
      if (when === 'after') expecting(200, await release(call));
      expecting(200, await service.call('host', 'POST', `/v1/tasks/${call.taskId}/close`, {}));
      if (when === 'before') refused(409, 'invalid_transition', await release(call));
      assert.equal((await fetch(call)).content, undefined);
    });
  }

  test('reviewers and operators find what waits, and what was released', async () => {
    const [waiting, done] = [await heldCall(service, 'hold'), await heldCall(service, 'hold')];
    expecting(200, await release(done));
    const listed = async (query: string) =>
      expecting(200, await service.call('operator', 'GET', `/v1/responses?${query}`)).items;
    const [item] = await listed(`state=held&task=${waiting.taskId}`);
    assert.deepEqual(
      [item.callId, item.capability, item.operation, item.state],
      [waiting.callId, 'hold', 'recall', 'held'],
    );
    assert.equal(item.findings[0].kind, 'override');
    assert.deepEqual(await listed(`state=held&task=${done.taskId}`), []);
    const [released] = await listed(`state=released&task=${done.taskId}`);
    assert.deepEqual([released.callId, released.released.by], [done.callId, 'local-reviewer']);
    assert.ok((await listed('')).every(({ state }: Answered) => state === 'held'));
  });
});

describe('refuse', () => {
  test('delivers nothing, ever, and keeps the finding', async () => {
    const call = await heldCall(service, 'refuse');
    const answer = await fetch(call);
    assert.deepEqual([answer.verdict, answer.content, answer.held], ['rejected', undefined, undefined]);
    assert.equal(answer.findings[0].kind, 'override');
    const { data } = await recorded(call, 'ResponseValidated');
    assert.deepEqual(Object.keys(data.commitments), ['raw']);
  });
});

describe('taint', () => {
  for (const [capability, isTainted] of [
    ['quote', true],
    ['hold', true],
    ['refuse', true],
  ] as const) {
    test(`a task is tainted by a response under ${capability}, from that commit on`, async () => {
      const call = await allowedCall(service, capability);
      assert.deepEqual((await taskOf(call)).integrity, 'clean');
      await respond(call, textResult('milk'));
      const next = await callIn(service, await taskOf(call), capability);
      assert.equal((await taskOf(call)).integrity, 'clean');
      await respond(next, textResult(OVERRIDE));
      const task = await taskOf(call);
      const { time } = await recorded(next, 'ResponseValidated');
      assert.deepEqual([task.integrity, task.taintedAt], isTainted ? ['tainted', time] : ['clean', undefined]);
      const third = await callIn(service, task, capability, { operation: 'recall' });
      await respond(third, textResult(`again: ${OVERRIDE}`));
      assert.equal((await taskOf(call)).taintedAt, time);
      const trace = expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${call.traceId}`));
      assert.deepEqual([trace.tasks[0].integrity, trace.tasks[0].taintedAt], ['tainted', time]);
      const listed = expecting(200, await service.call('auditor', 'GET', '/v1/audit/tasks?limit=200'));
      const item = listed.items.find(({ taskId }: Answered) => taskId === call.taskId);
      assert.deepEqual([item.integrity, item.taintedAt], ['tainted', time]);
    });
  }

  test('no other rejection taints: nothing was delivered', async () => {
    const task = await openTask(service, { scope: [{ capability: 'quote', effects: ['read', 'write'] }] });
    const broken = await callIn(service, task, 'quote', { operation: 'count', arguments: {} });
    const answer = await respond(broken, { result: { structuredContent: { notes: OVERRIDE } } });
    assert.equal(answer.verdict, 'rejected');
    const collides = await callIn(service, task, 'quote');
    const keys = { result: { structuredContent: { a: OVERRIDE, 'a\u200b': 1 } } };
    assert.equal((await respond(collides, keys)).verdict, 'rejected');
    const stopped = await callIn(service, task, 'quote');
    await stop(service, { type: 'task', taskId: task.taskId }, { lift: true });
    assert.equal((await respond(stopped, textResult(OVERRIDE))).verdict, 'rejected');
    assert.equal((await taskOf(task)).integrity, 'clean');
  });

  test('it is still there when the task is read back from the log', async () => {
    const call = await heldCall(service, 'quote');
    const before = await taskOf(call);
    // Closing a task frees its state.
    expecting(200, await service.call('host', 'POST', `/v1/tasks/${call.taskId}/close`, {}));
    const { status, taintedAt } = await taskOf(call);
    assert.deepEqual([status, taintedAt], ['closed', before.taintedAt]);
  });
});

describe('label', () => {
  test('is the sensitivity of the version, and personal data in the response raises it; nothing is redacted', async () => {
    const benign = await allowedCall(service, 'quote');
    assert.equal((await respond(benign, textResult('milk'))).verdict, 'accepted');
    assert.deepEqual((await recorded(benign, 'ResponseValidated')).data.label, { level: 'internal', categories: [] });
    const personal = await allowedCall(service, 'quote');
    const answer = await respond(personal, textResult('Write to ann.miller@example.org today.'));
    assert.equal(answer.verdict, 'accepted');
    assert.ok(answer.content.parts[0].text.includes('ann.miller@example.org'));
    assert.equal(answer.content.flagged, undefined);
    const [finding] = answer.findings;
    assert.deepEqual([finding.kind, finding.severity], ['pii', 'info']);
    const { label, engines } = (await recorded(personal, 'ResponseValidated')).data;
    assert.deepEqual(label.categories, ['pii:email']);
    assert.notEqual(label.level, 'public');
    assert.match(engines.pack, /^sha256:/);
    assert.match(engines.instructions, /^sha256:/);
    assert.deepEqual((await evidence(personal)).response.label, label);
  });
});

test('evidence shows verdict, handling, findings, flagged spans and label, and a replay validates again', async () => {
  for (const capability of ['quote', 'hold', 'refuse'] as const) {
    const call = await heldCall(service, capability, textResult(`${OVERRIDE} Write to ann@example.org.`));
    const { response } = await evidence(call);
    assert.equal(response.verdict, capability === 'refuse' ? 'rejected' : 'quarantined');
    assert.equal(response.handling, capability);
    assert.ok(response.findings.length > 0);
    assert.equal(response.released, null);
    if (capability !== 'refuse') assert.ok(response.validated.flagged.length > 0);
    assert.ok(response.label.categories.includes('pii:email'));
    const replay = expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${call.traceId}/replay`));
    assert.deepEqual([replay.identical, replay.calls[0].response.again], [true, 'same']);
  }
});

test('content of a held or refused response appears in no answer, event, or line', async () => {
  const canary = 'Canary7Q';
  for (const capability of ['hold', 'refuse'] as const) {
    const call = await allowedCall(service, capability);
    const text = `${canary} ${OVERRIDE} ${canary}`;
    const response = { result: { content: [{ type: 'text', text }], structuredContent: { a: text } } };
    const answers = [await respond(call, response), await fetch(call)];
    const listed = expecting(200, await service.call('reviewer', 'GET', '/v1/responses'));
    const events = await eventsOf(service, `calls-${call.taskId}`);
    const told = JSON.stringify([answers, listed, events], (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    assert.ok(!told.includes(canary), told);
  }
});

test('a review carries the handling into the view of the version', async () => {
  const held = expecting(200, await service.call('reviewer', 'GET', '/v1/capabilities/hold/versions/1.0.0'));
  assert.equal(held.review.quarantine, 'hold');
  const unsaid = expecting(200, await service.call('reviewer', 'GET', '/v1/capabilities/unsaid/versions/1.0.0'));
  assert.equal(unsaid.review.quarantine, undefined);
});
