import assert from 'node:assert/strict';
import type { Answer, Answered } from './service.js';

const MEMBERS = new Set(['type', 'title', 'status', 'detail', 'code', 'errors', 'needed']);

/** Expects an RFC 9457 problem document with this status and code, and gives it. */
export function refused(status: number, code: string, answer: Answer): Answered {
  const { body, headers } = answer;
  assert.deepEqual([answer.status, body?.code], [status, code], JSON.stringify(body));
  assert.match(headers.get('content-type') ?? '', /^application\/problem\+json\b/);
  assert.equal(body.status, status);
  for (const member of ['type', 'title', 'detail']) assert.equal(typeof body[member], 'string', member);
  for (const member of Object.keys(body)) assert.ok(MEMBERS.has(member), `${member} is no member of a problem`);
  for (const { path, message, ...rest } of body.errors ?? []) {
    assert.match(path, /^(\/|$)/);
    assert.equal(typeof message, 'string');
    assert.deepEqual(rest, {});
  }
  if (status === 401) assert.ok(headers.has('www-authenticate'), 'a 401 names its scheme');
  return body;
}
