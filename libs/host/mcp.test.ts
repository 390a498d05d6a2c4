import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { tap } from './mcp.js';

test('a server that asks without end has so many questions open and no more', async () => {
  let open = 0;
  const refused: object[] = [];
  const transport = {
    onmessage: undefined as unknown,
    send: (message: object) => Promise.resolve(void refused.push(message)),
  };
  tap(transport, {
    onListChanged: () => undefined,
    onServerRequest: () => {
      open += 1;
      return new Promise(() => undefined);
    },
  });
  Object.assign(transport, { onmessage: () => undefined });
  const say = transport.onmessage as (message: object) => void;
  for (let id = 0; id < 10_000; id += 1) say({ jsonrpc: '2.0', id, method: 'roots/list' });
  await delay(0);
  assert.ok(open <= 32, `${open} open`);
  assert.equal(open + refused.length, 10_000);
});
