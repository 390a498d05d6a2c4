import assert from 'node:assert/strict';
import type { ResponseText } from '../../../libs/decision-point/content-jobs.js';
import { err } from '../../../libs/kernel/result.js';
import { refusal } from '../../../libs/kernel/refusal.js';
import type { Authorizing } from '../observability/measured-authorizer.js';
import { Problem } from '../edge/problem.js';
import { gatedAuthorizer, gatedResponder, type Responding } from './gated.js';
import { Gate } from './gate.js';
import { FairShareLimiter } from '../../../libs/kernel/fair-share-limiter.js';
import { test } from '../../../test/support/testing.js';

const MIB = 1_048_576;
const overloaded = (error: unknown): boolean => error instanceof Problem && error.code === 'overloaded';

test('larger responses count until their work is over, on every protocol; half is for one host', async () => {
  const gate = new Gate({ clock: { monotonicMs: () => 0 }, maxInFlight: 100, maxWaitMs: 1000 });
  const texts = new FairShareLimiter(12 * MIB);
  const ends: (() => void)[] = [];
  const inner = {
    respond: async (_callId: string, text: ResponseText) => {
      await new Promise<void>((resolve) => ends.push(resolve));
      if ('body' in text && text.body[0] === 1) throw new Error('broken');
      return err(refusal('not_found', 'no such task'));
    },
  } as unknown as Responding;
  const responder = gatedResponder(inner, gate, texts);
  const ask = (name: string, text: ResponseText) => responder.respond('call', text, { name, roles: ['host'] } as never);
  const body = (bytes: number): ResponseText => ({ body: new Uint8Array(bytes) });
  const message: ResponseText = { taskId: 'task', result: new Uint8Array(MIB) };
  const asked = [ask('a', body(MIB)), ask('a', message), ask('b', message)];
  await assert.rejects(ask('a', message), overloaded);
  const small = ask('a', body(16_384));
  // The largest body counts as the full share of one host.
  await assert.rejects(ask('b', body(8 * MIB)), overloaded);
  const broken = ask('b', { body: new Uint8Array(MIB).fill(1) });
  await assert.rejects(ask('c', message), overloaded);
  assert.deepEqual([texts.inUse, texts.refused], [12 * MIB, 3]);
  for (const end of ends) end();
  await Promise.all([...asked, small]);
  await assert.rejects(broken, /broken/);
  assert.equal(texts.inUse, 0);
  const largest = ask('b', body(8 * MIB));
  assert.equal(texts.inUse, 6 * MIB);
  ends.at(-1)?.();
  await largest;
});

test('an authorize keeps no place of the gate while other threads work on its content', async () => {
  const gate = new Gate({ clock: { monotonicMs: () => 0 }, maxInFlight: 100, maxWaitMs: 1000 });
  const work = Promise.withResolvers<void>();
  const inner: Authorizing = {
    authorize: async (_request, _caller, _traceparent, aside) => {
      await (aside ?? assert.fail('no aside'))(() => work.promise);
      return err(refusal('not_found', 'no such task'));
    },
  };
  const asked = gatedAuthorizer(inner, gate).authorize({} as never, {} as never, undefined);
  assert.equal(gate.inFlight, 0);
  work.resolve();
  await asked;
  assert.equal(gate.inFlight, 0);
});
