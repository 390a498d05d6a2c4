import assert from 'node:assert/strict';
import { startStub, type Stub } from '../../test/demo/stub-service.js';
import { after, before, beforeEach, test } from '../../test/support/testing.js';
import { csvLine } from './listing.js';

let stub: Stub;
before(async () => {
  stub = await startStub();
});
after(() => stub.close());
beforeEach(() => stub.reset());

const TASK = '0b9f3a52-7c55-4c1e-8a55-2f6a3a1b7f11';
const item = (callId: string) => ({
  callId,
  time: '2026-11-22T10:00:00.000Z',
  decision: 'deny',
  reason: 'disabled',
  capability: 'fs',
  operation: '=cmd|"x"\u001b[2J',
  user: { id: 'ada' },
  host: 'h',
});

test('each option of calls becomes a condition', async () => {
  const options = ['--user', 'ada', '--agent', 'a', '--capability', 'fs', '--version', '1', '--operation', 'o'];
  const more = ['--host', 'h', '--task', TASK, '--trace', 't', '--policy-version', '3', '--reason', 'disabled'];
  const times = ['--from', '2026-11-28', '--to', '2026-11-29', '--identity', 'i', '--review-status', 'revoked'];
  stub.reply.body = { items: [] };
  assert.equal((await stub.cli(['calls', '--denied', ...options, ...more, ...times])).code, 0);
  const { pathname, searchParams } = new URL(stub.asked[0]?.path ?? '', 'http://x');
  assert.equal(pathname, '/v1/audit/calls');
  assert.deepEqual(Object.fromEntries(searchParams), {
    decision: 'deny',
    user: 'ada',
    agent: 'a',
    capability: 'fs',
    version: '1',
    operation: 'o',
    host: 'h',
    task: TASK,
    trace: 't',
    policyVersion: '3',
    reason: 'disabled',
    identity: 'i',
    reviewStatus: 'revoked',
    from: '2026-11-28T00:00:00.000Z',
    to: '2026-11-29T23:59:59.999Z',
    limit: '50',
  });
  stub.reset();
  // An empty list asks for archives too.
  stub.reply.body = { items: [item('a')] };
  await stub.cli(['calls', '--allowed']);
  await stub.cli(['calls']);
  assert.match(stub.asked[0]?.path ?? '', /decision=allow/);
  assert.doesNotMatch(stub.asked[1]?.path ?? '', /decision/);
});

test('each option of events becomes a condition', async () => {
  stub.reply.body = { items: [] };
  const options = ['--types', 'A,B', '--capability', 'fs', '--actor', 'olga', '--stream', 's', '--after', '9'];
  assert.equal((await stub.cli(['events', ...options, '--from', '2026-11-28', '--limit', '2000'])).code, 0);
  const { pathname, searchParams } = new URL(stub.asked[0]?.path ?? '', 'http://x');
  assert.equal(pathname, '/v1/audit/events');
  assert.deepEqual(Object.fromEntries(searchParams), {
    types: 'A,B',
    capability: 'fs',
    actor: 'olga',
    stream: 's',
    after: '9',
    from: '2026-11-28T00:00:00.000Z',
    limit: '1000',
  });
});

test('pages are followed up to the limit, or to the end', async () => {
  const pages = [{ items: [item('a'), item('b')], next: 'n 1' }, { items: [], next: 'n2' }, { items: [item('c')] }];
  const ids = (text: string): string[] => Array.from(text.matchAll(/call ([abc])\b/g), ([, id = '']) => id);
  stub.pages = [...pages];
  const some = await stub.cli(['calls', '--limit', '2']);
  assert.deepEqual(ids(some.out), ['a', 'b']);
  assert.match(some.out, /… and more: --all lists them\n$/);
  assert.equal(stub.asked.length, 1);
  stub.reset();
  stub.pages = [...pages];
  const all = await stub.cli(['calls', '--all']);
  assert.deepEqual(ids(all.out), ['a', 'b', 'c']);
  assert.deepEqual(
    stub.asked.map((one) => new URL(one.path, 'http://x').searchParams.get('cursor')),
    [null, 'n 1', 'n2'],
  );
  stub.reset();
  stub.pages = [...pages];
  const json = JSON.parse((await stub.cli(['calls', '--all', '--format', 'json'])).out) as { items: unknown[] };
  assert.deepEqual(json, { items: [item('a'), item('b'), item('c')] });
  stub.reset();
  stub.pages = [...pages];
  const lines = (await stub.cli(['calls', '--all', '--format', 'jsonl'])).out;
  assert.doesNotMatch(lines, /(?!\n)[\p{Cc}\p{Cf}]/u);
  assert.deepEqual(
    lines
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    json.items,
  );
});

test('an empty list of a log without archives says nothing of them, and a wrong reason names the codes', async () => {
  stub.reply.body = { items: [] };
  assert.equal((await stub.cli(['calls'])).out, 'no such call\n');
  const wrong = await stub.cli(['calls', '--reason', 'nonsense']);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /^sallyport: --reason needs one of ok, capability_unregistered, .*, view_stale\n$/);
});

test('a finding about a whole response has no path', async () => {
  const findings = [
    { severity: 'high', kind: 'disabled', path: '' },
    { severity: 'low', kind: 'marker', path: '/content/0' },
  ];
  stub.reply.body = { verdict: 'rejected', rawDigest: 'sha256:aa', findings };
  const { out } = await stub.cli(['respond', 'c1', '--task', 't1', '--result', '{}']);
  assert.match(out, /^finding: high disabled\nfinding: low marker at \/content\/0$/m);
});

test('CSV has a head, and no cell is a formula, ends its line or moves a terminal', async () => {
  stub.pages = [{ items: [item('a')], next: 'n' }, { items: [item('b')] }];
  const { out } = await stub.cli(['calls', '--all', '--format', 'csv']);
  const [head = '', first = '', second = '', ...rest] = out.split('\r\n');
  assert.match(head, /^time,decision,reason,capability,version,operation,user,/);
  assert.ok(first.includes(String.raw`,fs,,"'=cmd|""x""\u{1b}[2J",ada,`), first);
  assert.ok(second.includes(',b,'));
  assert.deepEqual(rest, ['']);
  assert.equal(csvLine(['a', 'b,c', '-1', 'd\r\ne']), `a,"b,c",'-1,d\\u{d}⏎e\r\n`);
});

test('damage is a line in its place', async () => {
  const place = { position: '7', stream: 'calls-t1', revision: 2 };
  stub.reply.body = { items: [item('a'), { ...place, damaged: true }, { ...place, missing: true }] };
  const { out } = await stub.cli(['calls']);
  assert.match(out, /call a[^\n]*\nDAMAGED: the event at position 7[^\n]*\nMISSING: there is no event at position 7/);
});

test('options that exclude each other, and times that are none, ask the service nothing', async () => {
  const wrong = [
    ['calls', '--denied', '--allowed'],
    ['calls', '--all', '--limit', '3'],
    ['calls', '--from', 'yesterday'],
    ['calls', '--from', '1h', '--to', '2h'],
    ['calls', '--format', 'xml'],
    ['calls', '--policy-version', 'x'],
    ['events', '--to', 'soon'],
  ];
  for (const words of wrong) assert.equal((await stub.cli(words)).code, 2, words.join(' '));
  assert.match((await stub.cli(['calls', '--from', 'yesterday'])).err, /needs a time before now \(30m, 2h, 7d\)/);
  assert.deepEqual(stub.asked, []);
});
