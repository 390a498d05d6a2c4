import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { refused } from '../support/problems.js';
import { startService, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';

let service: TestService;
before(async () => {
  service = await startService();
  await readyWorld(service);
});
after(() => service.stop());

test('a number that a double holds exactly is taken, and another is refused with its place', async () => {
  const task = await openTask(service);
  const ask = (number: string) => {
    const body = JSON.stringify(callBody(task, { operation: 'store', arguments: { deep: [{ n: 'HERE' }] } }));
    return service.call('host', 'POST', '/v1/calls/authorize', body.replace('"HERE"', number));
  };
  for (const number of ['9223372036854775808', '-9223372036854775808', '18446744073709551616', '9223372036854776000']) {
    assert.equal(expecting(200, await ask(number)).decision, 'allow', number);
  }
  for (const number of ['9223372036854775807', '9007199254740993', '18446744073709551615', '1e400']) {
    const { detail, errors } = refused(400, 'malformed_request', await ask(number));
    assert.match(detail, /number/);
    assert.deepEqual(errors, [{ path: '/arguments/deep/0/n', message: 'a number that a double cannot hold exactly' }]);
  }
});
