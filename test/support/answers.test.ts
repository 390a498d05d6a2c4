import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { openTask } from '../../libs/contract/tasks.js';
import { AnswerCheck } from './answers.js';
import { test } from './testing.js';

/** What the check of a server that gives these answers says. */
async function checked(path: string, status: number, body: object): Promise<string> {
  const answers = new AnswerCheck();
  const server = createServer((_, response) => response.writeHead(status).end(JSON.stringify(body)));
  answers.overHttp(server);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  try {
    await (await fetch(`http://127.0.0.1:${port}${path}`)).text();
    answers.look();
    return 'as described';
  } catch (error) {
    return (error as Error).message;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const problem = (code: string, status: number) => ({
  type: `urn:sallyport:problem:${code}`,
  title: code,
  status,
  detail: code,
  code,
});

test('an answer over HTTP with a member that the contract does not name is found', async () => {
  assert.equal(await checked('/health/live', 200, { status: 'live' }), 'as described');
  assert.match(await checked('/health/live', 200, { status: 'live', more: 1 }), /must NOT have additional properties/);
  assert.match(await checked('/health/live', 200, { status: 'dead' }), /GET \/health\/live/);
});

test('a problem that its operation does not declare is found', async () => {
  assert.equal(await checked('/v1/tasks/x', 404, problem('not_found', 404)), 'as described');
  assert.match(await checked('/v1/tasks/x', 409, problem('self_review', 409)), /self_review with 409 is not declared/);
});

test('an answer over gRPC that lacks a member is found', () => {
  const answers = new AnswerCheck();
  answers.overGrpc(openTask, { taskId: 'x' });
  assert.throws(() => answers.look(), /gRPC openTask/);
});
