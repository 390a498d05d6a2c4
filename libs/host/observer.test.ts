import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { McpClient } from './mcp.js';
import { observerOf } from './observer.js';

test('what a server declares is read again in time, also where it says nothing of a change', async () => {
  const server = { tools: [{ name: 'look' }], nowMs: 0, reads: 0 };
  const client: McpClient<never> = {
    connect: () => Promise.resolve(),
    request() {
      server.reads += 1;
      return Promise.resolve({ tools: [...server.tools] });
    },
    getServerCapabilities: () => ({ tools: {} }),
    getServerVersion: () => undefined,
    getInstructions: () => undefined,
    close: () => Promise.resolve(),
  };
  const news: string[] = [];
  const { signal } = new AbortController();
  const observer = observerOf(
    client,
    signal,
    ({ digest }) => news.push(digest),
    () => server.nowMs,
  );
  const first = await observer.begin(signal);
  server.tools.push({ name: 'raze' });
  server.nowMs = 60_000;
  assert.deepEqual([await observer.digest(), server.reads], [first.digest, 1]);
  server.nowMs += 1;
  const second = await observer.digest();
  assert.notEqual(second, first.digest);
  assert.deepEqual([await observer.digest(), server.reads, news], [second, 2, [second]]);
});
