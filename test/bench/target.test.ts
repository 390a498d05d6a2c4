import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { QUESTIONS } from './questions.js';
import { isUp, run, until } from './running.js';
import { CALL_ID, writeQuestions, wrongAnswers, type Asked, type Target } from './target.js';
import { test } from '../support/testing.js';

const asked: readonly Asked[] = QUESTIONS.map((question) => ({
  question,
  path: '/ask',
  headers: { authorization: 'Bearer x' },
  body: JSON.stringify({ callId: CALL_ID, key: `"${question.key}"` }),
}));

test('answers are wrong when they say the other thing, and when they are no 200', async (t) => {
  let status = 200;
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(status).end('{"result":true}'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close().closeAllConnections());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const target: Omit<Target, 'running' | 'note'> = {
    name: 'says yes',
    url: `http://127.0.0.1:${port}`,
    asked,
    decision: (answer) => (JSON.parse(answer) as { result: boolean }).result,
  };
  const wrong = await wrongAnswers(target, () => CALL_ID);
  assert.equal(wrong.length, QUESTIONS.filter(({ allowed }) => !allowed).length);
  status = 503;
  assert.equal((await wrongAnswers(target, () => CALL_ID)).length, QUESTIONS.length);
});

test('a request for the load is whole but for the id of its call', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-target-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'questions.lua');
  const [first] = asked;
  assert.ok(first !== undefined);
  writeQuestions(file, { url: 'http://127.0.0.1:7070', asked: [first] });
  const pair = /^return \{\n\{(".*"),(".*")\}\n\}\n$/.exec(readFileSync(file, 'utf8'));
  const whole = [pair?.[1], pair?.[2]].map((text) => JSON.parse(text ?? '""') as string).join(CALL_ID);
  const [head = '', body] = whole.split('\r\n\r\n');
  assert.equal(body, first.body);
  assert.ok(head.startsWith('POST /ask HTTP/1.1\r\nhost: 127.0.0.1:7070\r\n'), head);
  assert.ok(head.endsWith(`\r\ncontent-length: ${Buffer.byteLength(first.body)}`), head);
});

test('a process that was started is stopped, and what it said is kept', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-target-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const script = `require('node:http').createServer((_, r) => r.end()).listen(0, '127.0.0.1', function () { console.log('at', this.address().port) })`;
  const running = run([process.execPath, '-e', script], { outputFile: join(folder, 'output') });
  t.after(() => running.stop());
  const port = await until(running, () => /at (\d+)/.exec(running.output())?.[1]);
  const url = `http://127.0.0.1:${port}`;
  assert.equal(await isUp(url), true);
  await running.stop();
  assert.equal(await isUp(url), undefined);
});
