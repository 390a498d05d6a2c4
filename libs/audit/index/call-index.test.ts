import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sealEvent } from '../../event-log/event.js';
import { MemoryLog } from '../../event-log/memory/memory-log.js';
import type { EventLog } from '../../event-log/port.js';
import { toInstant } from '../../kernel/time.js';
import { CallIndex } from './call-index.js';
import type { CallFilter } from './messages.js';
import { openIndexStore } from './store.js';
import { IndexUnavailable } from './reading.js';
import { CHAIN_START, chained } from '../../transparency/completeness.js';
import { leafHash } from '../../transparency/hash.js';
import { tampered } from '../../../test/support/audit-world.js';
import { test, type TestContext } from '../../../test/support/testing.js';

const CALL = '6b0f5a54-3b1e-4d0e-9c0a-0d8f1a2b3c4d';
const HOUR_MS = 3_600_000;
const START_MS = Date.parse('2026-11-22T10:00:00.000Z');
const atMs = (minutes: number) => START_MS + minutes * 60_000;

/** Appends facts in the shapes that the index reads, one batch each. */
class Facts {
  readonly log = new MemoryLog();
  private readonly revisions = new Map<string, number>();

  async add(stream: string, type: string, data: object, minutes: number, traceId?: string): Promise<void> {
    const expected = this.revisions.get(stream) ?? 0;
    this.revisions.set(stream, expected + 1);
    const time = toInstant(atMs(minutes));
    const actor = (data as { host?: string }).host ?? 'system:test';
    const event = { stream, revision: expected + 1, type, schemaVersion: 1, time, actor, data };
    const sealed = sealEvent(traceId === undefined ? event : { ...event, traceId });
    const outcome = await this.log.append({ writes: [{ stream, expected, events: [sealed] }], checks: [] });
    assert.equal(outcome.kind, 'committed');
  }

  opened(taskId: string, minutes: number, more: object = {}): Promise<void> {
    const data = {
      taskId,
      host: 'host-1',
      agent: 'helper',
      user: { id: 'ann' },
      pins: [{ capability: 'notes', version: '1.0.0' }],
      expiresAt: toInstant(atMs(minutes) + HOUR_MS),
      ...more,
    };
    return this.add(`task-${taskId}`, 'TaskOpened', data, minutes);
  }

  called(taskId: string, minutes: number, more: object = {}): Promise<void> {
    const data = {
      callId: randomUUID(),
      taskId,
      attempt: 1,
      host: 'host-1',
      capability: 'notes',
      version: '1.0.0',
      operation: 'read',
      decision: 'allow',
      reason: 'ok',
      basis: {},
      ...more,
    };
    return this.add(`calls-${taskId}`, 'CallDecided', data, minutes);
  }
}

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'index-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function indexOf(t: TestContext, log: EventLog, file = join(folderFor(t), 'audit-index.db')): Promise<CallIndex> {
  const index = await CallIndex.open(log, file);
  t.after(() => index.close());
  assert.equal(await index.waitFor(await log.end(), 5000), true);
  return index;
}

/** Records the start of each subscription. */
function watched(log: EventLog): { log: EventLog; starts: bigint[] } {
  const starts: bigint[] = [];
  const subscribe: EventLog['subscribe'] = (options, subscriber) => {
    starts.push(options.after);
    return log.subscribe(options, subscriber);
  };
  return { log: tampered(log, { subscribe }), starts };
}

async function found(index: CallIndex, filter: CallFilter): Promise<string[]> {
  return (await index.calls(filter, 100)).references.map(({ stream, revision }) => `${stream}@${revision}`);
}

test('finds calls by each of its conditions and by all together, newest first', async (t) => {
  const facts = new Facts();
  await facts.opened('t1', 0);
  await facts.opened('t2', 1, { host: 'host-2', agent: 'other', user: { id: 'bob' } });
  const first = { basis: { 'policy-default': 1 } };
  for (const version of ['1.0.0', '2.0.0']) {
    const of = { capability: 'notes', version };
    await facts.add('capability-notes', 'VersionProposed', of, 1);
    await facts.add('capability-notes', 'VersionReviewed', { ...of, verdict: 'approved' }, 1);
    await facts.add('capability-notes', 'VersionSuspended', { ...of, ...(version === '1.0.0' && { host: 'h' }) }, 1);
  }
  for (const policyVersion of [1, 2])
    await facts.add('policy-default', 'PolicyReviewed', { set: 'default', policyVersion, verdict: 'approved' }, 1);
  await facts.called('t1', 2, { callId: CALL, basis: { 'policy-default': 1 } });
  await facts.called('t2', 3, { host: 'host-2', version: '2.0.0', decision: 'deny', reason: 'disabled', ...first });
  await facts.called('t1', 4, {
    capability: 'mail',
    version: undefined,
    decision: 'deny',
    reason: 'capability_unregistered',
    basis: { 'policy-default': 3 },
  });
  const refused = {
    callId: CALL,
    taskId: 't2',
    attempt: 1,
    host: 'host-1',
    capability: 'notes',
    operation: 'read',
    decision: 'deny',
    reason: 'task_unknown',
    basis: {},
  };
  await facts.add('refusals-host-1', 'CallRefused', refused, 5, 'ab');
  const index = await indexOf(t, facts.log);
  const [a, b, c, r] = ['calls-t1@1', 'calls-t2@1', 'calls-t1@2', 'refusals-host-1@1'];
  const cases: [CallFilter, (string | undefined)[]][] = [
    [{}, [r, c, b, a]],
    [{ capability: 'notes' }, [r, b, a]],
    [{ version: '1.0.0' }, [a]],
    [{ capability: 'mail', version: '1.0.0' }, []],
    [{ task: 't1' }, [c, a]],
    [{ task: 't2' }, [r, b]],
    [{ host: 'host-2' }, [b]],
    [{ identity: 'host-1' }, [r, c, a]],
    [{ identity: 'ann' }, [c, a]],
    // The refused call named bob's task, but bob did not make it.
    [{ identity: 'bob' }, [b]],
    [{ identity: 'helper' }, [c, a]],
    [{ decision: 'deny' }, [r, c, b]],
    [{ reason: 'disabled' }, [b]],
    [{ fromMs: atMs(3), toMs: atMs(4) }, [c, b]],
    [{ identity: 'ann', fromMs: atMs(3) }, [c]],
    [{ reviewStatus: 'suspended' }, [b]],
    [{ reviewStatus: 'approved', identity: 'ann' }, [a]],
    [{ reviewStatus: 'revoked' }, []],
    [{ user: 'ann' }, [c, a]],
    [{ user: ['ann', 'bob'] }, [c, b, a]],
    [{ user: 'helper' }, []],
    [{ agent: 'helper' }, [c, a]],
    [{ user: 'ann', identity: 'host-1' }, [c, a]],
    [{ user: 'ann', identity: 'host-2' }, []],
    [{ operation: 'read' }, [r, c, b, a]],
    [{ operation: 'write' }, []],
    [{ trace: 'ab' }, [r]],
    [{ policyVersion: 1 }, [b, a]],
    [{ policyVersion: 2 }, [c]],
    [{ call: CALL, task: 't1' }, [a]],
    [{ capability: 'notes', task: 't1', identity: 'ann', host: 'host-1', decision: 'allow', reason: 'ok' }, [a]],
    [{ capability: 'never-seen' }, []],
    [{ identity: 'nobody' }, []],
  ];
  for (const [filter, expected] of cases)
    assert.deepEqual(await found(index, filter), expected, JSON.stringify(filter));
  const [refusal] = await index.refusals('ab', 0n, 10);
  assert.deepEqual([refusal?.stream, refusal?.position], ['refusals-host-1', await facts.log.end()]);
  assert.deepEqual(await index.refusals('cd', 0n, 10), []);
});

test('pages hold every call once, also those of one instant', async (t) => {
  const facts = new Facts();
  await facts.opened('t1', 0);
  for (let call = 0; call < 25; call += 1) await facts.called('t1', Math.floor(call / 10));
  const index = await indexOf(t, facts.log);
  for (const filter of [{}, { identity: 'ann' }]) {
    const revisions: number[] = [];
    let page = await index.calls(filter, 7);
    for (;;) {
      revisions.push(...page.references.map(({ revision }) => revision));
      if (page.next === undefined) break;
      page = await index.calls(filter, 7, page.next);
    }
    assert.deepEqual(
      revisions,
      Array.from({ length: 25 }, (_, call) => 25 - call),
    );
  }
});

test('follows the log, and knows which tasks of a host pin a version now', async (t) => {
  const facts = new Facts();
  const index = await indexOf(t, facts.log);
  const pinned = async (minutes: number, host = 'host-1', version = '1.0.0') => {
    assert.equal(await index.waitFor(await facts.log.end(), 5000), true);
    return index.hostPinsVersion(host, 'notes', version, toInstant(atMs(minutes)));
  };
  assert.equal(await pinned(1), false);
  await facts.opened('t1', 0);
  assert.equal(await pinned(1), true);
  assert.equal(await pinned(-1), false, 'not open yet');
  assert.equal(await pinned(60), false, 'expired');
  assert.equal(await pinned(1, 'host-2'), false);
  assert.equal(await pinned(1, 'host-1', '2.0.0'), false);
  await facts.add('task-t1', 'TaskClosed', { taskId: 't1' }, 30);
  assert.equal(await pinned(31), false, 'closed');
  assert.equal(await pinned(29), true, 'was open then');
});

test('goes on where it stopped', async (t) => {
  const facts = new Facts();
  const file = join(folderFor(t), 'audit-index.db');
  await facts.opened('t1', 0);
  await facts.called('t1', 1);
  await (await indexOf(t, facts.log, file)).close();
  const position = await facts.log.end();
  await facts.called('t1', 2);
  const { log, starts } = watched(facts.log);
  const index = await indexOf(t, log, file);
  assert.deepEqual(starts, [position]);
  assert.deepEqual(await found(index, { identity: 'ann' }), ['calls-t1@2', 'calls-t1@1']);
});

test('is thrown away and rebuilt where its file or its log is not what it was', async (t) => {
  const facts = new Facts();
  await facts.opened('t1', 0);
  await facts.called('t1', 1);
  const other = new Facts();
  await other.opened('t1', 0, { agent: 'another' });
  await other.called('t1', 1, { reason: 'other' });
  const shorter = new Facts();
  await shorter.opened('t1', 0);
  const spoil: Record<string, (file: string) => void> = {
    'another schema version': (file) => {
      const db = new DatabaseSync(file);
      db.exec('PRAGMA user_version = 99; DELETE FROM calls');
      db.close();
    },
    'no database': (file) => writeFileSync(file, 'garbage '.repeat(1000)),
    'a damaged page': (file) => {
      const bytes = readFileSync(file);
      bytes.fill(0xff, 4096 + 100, 8192);
      writeFileSync(file, bytes);
    },
    'an empty file': (file) => {
      rmSync(file);
      writeFileSync(file, '', { mode: 0o644 });
    },
    'a link to nothing': (file) => {
      rmSync(file);
      symlinkSync(`${file}-elsewhere`, file);
    },
    'a blank database': (file) => {
      rmSync(file);
      const db = new DatabaseSync(file);
      db.exec('PRAGMA user_version = 7');
      db.close();
    },
    'a lost file': (file) => rmSync(file),
  };
  const folder = folderFor(t);
  const made = async (name: string) => {
    const file = join(folder, `${name}.db`);
    await (await indexOf(t, facts.log, file)).close();
    return file;
  };
  for (const [name, spoilt] of Object.entries(spoil)) {
    const file = await made(name);
    spoilt(file);
    const { log, starts } = watched(facts.log);
    const index = await indexOf(t, log, file);
    assert.deepEqual(starts, [0n], name);
    assert.deepEqual(await found(index, { task: 't1' }), ['calls-t1@1'], name);
    for (const path of [file, `${file}-wal`]) {
      const { mode } = lstatSync(path);
      assert.equal(mode & 0o777, 0o600, `${path}, ${name}`);
    }
    assert.equal(existsSync(`${file}-elsewhere`), false, name);
  }
  for (const [name, { log }] of Object.entries({ 'another log': other, 'a shorter log': shorter })) {
    const file = await made(name);
    const index = await indexOf(t, log, file);
    assert.deepEqual(await found(index, { reason: 'ok' }), [], name);
    assert.equal((await found(index, { task: 't1' })).length, log === other.log ? 1 : 0, name);
  }
});

test('its thread lets all others go first', async (t) => {
  if (process.platform !== 'linux') return t.skip('threads have no priority of their own');
  /** The niceness of each thread of this process: field 19 of its `stat`, the 17th after the name (proc_pid_stat(5)). */
  const niceness = (): number[] =>
    readdirSync('/proc/self/task').map((thread) => {
      const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
    });
  const own = getPriority();
  assert.deepEqual(new Set(niceness()), new Set([own]));
  await indexOf(t, new Facts().log);
  assert.equal(niceness().filter((nice) => nice === Math.min(own + 10, 19)).length, 1);
});

test('leaves a database of another program alone', async (t) => {
  const file = join(folderFor(t), 'audit-index.db');
  const db = new DatabaseSync(file);
  db.exec('CREATE TABLE precious (x); PRAGMA application_id = 7');
  db.close();
  await assert.rejects(CallIndex.open(new MemoryLog(), file), IndexUnavailable);
  assert.equal(existsSync(file), true);
});

test('a batch that does not follow on what is stored is not taken, and what is stored stays', (t) => {
  const store = openIndexStore(join(folderFor(t), 'audit-index.db'));
  const mark = { position: 5n, stream: 'calls-t1', revision: 1, id: randomUUID() };
  assert.deepEqual(store.answer({ kind: 'ingest', from: 3n, mark, cells: [] }), { kind: 'start_over' });
  assert.equal(store.answer({ kind: 'ingest', from: 0n, mark, cells: [] }).kind, 'done');
  assert.equal(
    store.answer({ kind: 'ingest', from: 5n, mark: { ...mark, position: 9n }, cells: ['nowhere', 's', 1, 't', '{}'] })
      .kind,
    'failed',
  );
  assert.deepEqual(store.answer({ kind: 'mark' }), { kind: 'done', value: mark });
  store.close();
});

test('a reader that cannot be told is told so, and the index recovers by itself', async (t) => {
  const facts = new Facts();
  await facts.opened('t1', 0);
  await facts.called('t1', 1);
  const file = join(folderFor(t), 'audit-index.db');
  const index = await indexOf(t, facts.log, file);
  // Another connection writes to the file without its owner's knowledge.
  const db = new DatabaseSync(file, { timeout: 5000 });
  db.exec('DELETE FROM mark; DELETE FROM calls');
  db.close();
  await facts.called('t1', 2);
  const deadline = Date.now() + 5000;
  while ((await found(index, { task: 't1' }).catch(() => [])).length < 2 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(await index.waitFor(await facts.log.end(), 5000), true);
  assert.deepEqual(await found(index, { task: 't1' }), ['calls-t1@2', 'calls-t1@1']);
});

test('the index counts the events of each stream and chains them, so that it can be compared with the log', async (t) => {
  const facts = new Facts();
  await facts.opened('t1', 0);
  for (let call = 0; call < 3; call += 1) await facts.called('t1', call);
  const file = join(folderFor(t), 'audit-index.db');
  const index = await indexOf(t, facts.log, file);
  await facts.called('t1', 4);
  assert.equal(await index.waitFor(await facts.log.end(), 5000), true);
  const db = new DatabaseSync(file, { readOnly: true });
  const sql = 'SELECT stream, events, chain, CAST(last AS TEXT) AS last FROM streams ORDER BY stream';
  const found = db.prepare(sql).all();
  db.close();
  for (const { stream, events, chain, last } of found) {
    const own = await facts.log.read(String(stream));
    const expected = own.reduce<Uint8Array>((hash, { json }) => chained(hash, leafHash(json)), CHAIN_START);
    assert.deepEqual(
      [events, Buffer.from(chain as Uint8Array), last],
      [own.length, expected, String(own.at(-1)?.position)],
    );
  }
  assert.deepEqual(
    found.map(({ stream }) => stream),
    ['calls-t1', 'task-t1'],
  );
});
