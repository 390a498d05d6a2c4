import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { newToken } from '../../apps/pdp/principals/token.js';
import { bearerTokens } from '../../libs/authentication/bearer-tokens.js';
import { ControlPlane } from '../../libs/control/control-plane.js';
import { ControlView } from '../../libs/control/control-view.js';
import { LogTime } from '../../libs/control/log-time.js';
import { MemoryLog } from '../../libs/event-log/memory/memory-log.js';
import { settledLog } from '../../libs/event-log/settled.js';
import { ok } from '../../libs/kernel/result.js';
import { systemClock } from '../../libs/kernel/time.js';
import { principalDecider, type PrincipalCommand } from '../../libs/principal/decider.js';
import { writeOf } from '../../libs/streams/facts.js';
import { authenticatorContract } from './authenticator.js';
import { test } from '../support/testing.js';

authenticatorContract('bearer tokens', async () => {
  const log = settledLog(new MemoryLog(), { clock: systemClock });
  const view = new ControlView(log);
  await view.start();
  const plane = new ControlPlane(log, view, new LogTime(systemClock, view, 0));
  const by = { name: 'system:test' };
  const run = async (name: string, command: (time: string) => PrincipalCommand): Promise<void> => {
    const done = await plane.run(by, (time) => {
      const { state, revision } = view.principal(name);
      const decided = principalDecider.decide(command(time), state);
      return decided.ok ? ok({ writes: [writeOf(`principal-${name}`, revision, decided.value)] }) : decided;
    });
    if (!done.ok) throw new Error(done.error.detail);
  };
  return {
    authenticator: bearerTokens(view),
    async add(name, roles, host) {
      const { token, tokenDigest } = newToken();
      const principal = { name, roles: [...roles], tokenDigest, ...(host && { host }) };
      await run(name, (time) => ({ type: 'add', principal, actor: by.name, time }));
      return { authorization: `Bearer ${token}` };
    },
    async replace(name) {
      const { token, tokenDigest } = newToken();
      await run(name, (time) => ({ type: 'rotate', tokenDigest, actor: by.name, time }));
      return { authorization: `bearer ${token}` };
    },
    remove: (name) => run(name, (time) => ({ type: 'remove', directiveId: randomUUID(), actor: by.name, time })),
    append: async (caller) => (await plane.run(caller, () => ok({ writes: [] }))).ok,
    async dispose() {
      await view.stop();
      await log.close();
    },
  };
});

test('a token is looked up by its digest alone', () => {
  const asked: string[] = [];
  const directory = {
    principalByToken: (digest: string) => void asked.push(digest),
    principal: () => ({ state: undefined }),
  };
  const authenticator = bearerTokens(directory);
  assert.ok(!authenticator.authenticate({ authorization: 'Bearer secret-token' }).ok);
  assert.ok(!authenticator.authenticate({ authorization: `Bearer ${'x'.repeat(201)}` }).ok);
  assert.ok(!authenticator.authenticate({ authorization: 'Basic secret-token' }).ok);
  assert.deepEqual(asked.length, 1);
  assert.match(asked[0] ?? '', /^sha256:[0-9a-f]{64}$/);
});
