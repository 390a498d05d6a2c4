import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startStub, type Stub } from '../../test/demo/stub-service.js';
import { after, before, beforeEach, test } from '../../test/support/testing.js';

/** The answers to `authorize` and `respond`, as a person reads them. */

let stub: Stub;
before(async () => {
  stub = await startStub();
});
after(() => stub.close());
beforeEach(() => stub.reset());

const AUTHORIZE = ['authorize', '--task', 't', '--capability', 'mail', '--operation', 'send'];

test('an allow shows all that crosses and all that is held back, by the id of each context item', async () => {
  const item = { id: 'c1', source: 'crm/7', content: 'a\nb' };
  writeFileSync(join(stub.folder, 'context.json'), JSON.stringify([item, { ...item, id: 'c2\u001b' }]));
  stub.reply.body = {
    decision: 'allow',
    obligations: ['summarise:c2'],
    outbound: {
      arguments: { to: 'x' },
      context: [{ ...item, level: 'internal', categories: ['customer'] }],
      redactions: [
        { path: '/arguments/body', type: 'pii:email', count: 2 },
        { path: '/arguments/bcc', type: 'not_needed', count: 1 },
        { path: '/arguments/x', type: 'not_declared', count: 1 },
      ],
      refusals: [
        { path: '/context/1', reason: 'context_too_large' },
        { path: '/arguments/note', reason: 'context_too_large' },
      ],
    },
  };
  const { code, out } = await stub.cli([...AUTHORIZE, '--context', '@context.json']);
  assert.equal(code, 0);
  const [, ...lines] = out.trim().split('\n');
  assert.deepEqual(lines, [
    'may be sent: {"to":"x"}',
    'may be sent: context c1 from crm/7 (internal, customer): "a\\nb"',
    'redacted: /arguments/body: pii:email, 2 times',
    'taken out: /arguments/bcc: not_needed, because the needs of the operation do not name it',
    'taken out: /arguments/x: not_declared, because the schema of the operation does not declare it',
    'withheld: context c2\\u{1b} (/context/1): context_too_large',
    'withheld: /arguments/note: context_too_large, over the maxLength of the needs of the version',
    'the service asks for: summarise:c2',
  ]);
});

test('a held response says that it is held, and who goes on how', async () => {
  stub.reply.body = { callId: 'c1', verdict: 'quarantined', held: true, rawDigest: 'sha256:a', findings: [] };
  const held = await stub.cli(['respond', 'c1', '--task', 't', '--result', '{}']);
  assert.deepEqual(
    [held.code, held.out],
    [
      5,
      'quarantined, held until a release sha256:a\n' +
        'next: a reviewer or an operator: sallyport release c1 --reason …\n',
    ],
  );
  stub.reply.body = { callId: 'c1', verdict: 'quarantined', rawDigest: 'sha256:a', findings: [] };
  const quoted = await stub.cli(['respond', 'c1', '--task', 't', '--result', '{}']);
  assert.equal(quoted.out, 'quarantined sha256:a\n');
});

test('a tainted task says so', async () => {
  stub.reply.body = { taskId: 't', status: 'open', integrity: 'tainted', taintedAt: '2026-11-30T10:00:00.000Z' };
  assert.match((await stub.cli(['task', 'show', 't'])).out, /^tainted +since 2026-11-30T10:00:00\.000Z: /m);
  stub.reply.body = { taskId: 't', status: 'open', integrity: 'clean' };
  assert.doesNotMatch((await stub.cli(['task', 'show', 't'])).out, /tainted/);
});

test('a list of responses that is empty says which', async () => {
  assert.equal((await stub.cli(['held'])).out, 'no response is held\n');
  assert.equal((await stub.cli(['held', '--state', 'released'])).out, 'no response is released\n');
});

test('an exposure of nothing that is registered is refused', async () => {
  stub.reply.body = { items: [] };
  const one = await stub.cli(['exposure', 'nope']);
  assert.deepEqual([one.code, one.out], [4, 'no such capability\n']);
  const version = await stub.cli(['exposure', 'mail', '--version', '9']);
  assert.deepEqual([version.code, version.out], [4, 'no such capability, or no such version of it\n']);
});

test('a second review says that a change needs a new version', async () => {
  stub.reply = { status: 409, body: { code: 'invalid_transition', detail: 'the version is approved' } };
  const ran = await stub.cli(['review', 'mail', '1', '--approve', '--reason', 'r', '--quarantine', 'hold', '--yes']);
  assert.equal(ran.code, 4);
  assert.match(ran.err, /the version is approved; a version is reviewed once: `sallyport propose` a new version/);
});

test('a trace lists the context items that were sent', async () => {
  const context = [{ id: 'c1', source: 'crm/7', level: 'internal', categories: [], content: 'text' }];
  const call = { decision: 'allow', callId: 'c', capability: 'mail', operation: 'send', outbound: { context } };
  stub.reply.body = { traceId: 't', tasks: [], calls: [call], events: [], histories: {} };
  assert.match((await stub.cli(['trace', 'a'.repeat(32)])).out, /context sent +c1 from crm\/7 \(internal\)/);
});
