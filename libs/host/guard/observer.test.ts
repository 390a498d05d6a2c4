import assert from 'node:assert/strict';
import { observerOf } from './observer.js';
import { test } from '../../../test/support/testing.js';

/** An observer of a server that can be told what it declares, and to fail. */
function world() {
  const server = { tools: [{ name: 'look' }], nowMs: 0, reads: 0, fails: false, held: Promise.resolve() };
  const read = async () => {
    server.reads += 1;
    await server.held;
    if (server.fails) throw new Error('cannot be read');
    const definition = { tools: [...server.tools] };
    return { definition, digest: JSON.stringify(definition) };
  };
  const news: string[] = [];
  const { signal } = new AbortController();
  const onNews = ({ digest }: { digest: string }): void => void news.push(digest);
  const observer = observerOf(read, signal, onNews, () => server.nowMs);
  return { server, observer, news, signal };
}

test('what a server declares is read again in time, also where it says nothing of a change', async () => {
  const { server, observer, news, signal } = world();
  const first = await observer.begin(signal);
  server.tools.push({ name: 'raze' });
  server.nowMs = 60_000;
  assert.deepEqual([await observer.digest(), server.reads], [first.digest, 1]);
  server.nowMs += 1;
  const second = await observer.digest();
  assert.notEqual(second, first.digest);
  assert.deepEqual([await observer.digest(), server.reads, news], [second, 2, [second]]);
});

test('what could not be read is tried again half a second later, not a minute', async () => {
  const { server, observer, signal } = world();
  const { digest } = await observer.begin(signal);
  server.fails = true;
  observer.again();
  assert.equal(await observer.digest(), undefined);
  server.fails = false;
  server.nowMs += 400;
  assert.equal(await observer.digest(), undefined, 'a server that fails is not asked by each call');
  server.nowMs += 200;
  assert.equal(await observer.digest(), digest);
});

test('who cannot wait for a reading has no digest while it goes on', async () => {
  const { server, observer, signal } = world();
  const { digest } = await observer.begin(signal);
  assert.equal(await observer.digest(1), digest);
  const release = Promise.withResolvers<void>();
  server.held = release.promise;
  observer.again();
  assert.equal(await observer.digest(1), undefined);
  release.resolve();
  assert.equal(await observer.digest(), digest);
});
