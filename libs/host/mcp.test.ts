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

test('a handler that a transport had before is chained by its client, and each message is handed on once', () => {
  const heard: unknown[] = [];
  const transport = { onmessage: (message: object) => void heard.push(message), send: () => Promise.resolve() };
  tap(transport, { onListChanged: () => undefined, onServerRequest: () => Promise.reject(new Error('refused')) });
  const [found, own] = [transport.onmessage, [] as unknown[]];
  const chained = (message: object): void => {
    found(message);
    own.push(message);
  };
  Object.assign(transport, { onmessage: chained });
  const message = { jsonrpc: '2.0', id: 1, result: {} };
  transport.onmessage(message);
  assert.deepEqual([heard, own], [[message], [message]]);
});
