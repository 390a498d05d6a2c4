import assert from 'node:assert/strict';
import { digestOfBytes } from '../../libs/kernel/digest.js';
import { LogClosed, LogOverloaded, type AppendOutcome } from '../../libs/event-log/port.js';
import { withLog, type MakeLog } from './log-under-test.js';
import { batch, committed, dataOf, fact, namesOf, write } from './facts.js';
import { test } from '../support/testing.js';

export function appending(makeLog: MakeLog): void {
  const on = (name: string, body: Parameters<typeof withLog>[1], options?: Parameters<MakeLog>[0]) =>
    test(name, withLog(makeLog, body, options));

  on('writes several streams in one piece', async (log) => {
    const position = await committed(log, write('task-1', 0, 'opened'), write('trace-1', 0, 'joined', 'more'));
    assert.equal(await log.head('task-1'), 1);
    assert.equal(await log.head('trace-1'), 2);
    const last = (await log.readAll({ after: 0n })).at(-1);
    assert.ok(last !== undefined && position >= last.position);
  });

  on('answers with the position of the last event of the last write, also to a repeat', async (log) => {
    await committed(log, write('task-2', 0, 'opened'));
    const writes = [write('capability-x', 0, 'drifted'), write('task-1', 0, 'opened'), write('calls-1', 0, 1, 2)];
    const position = await committed(log, ...writes);
    assert.equal(position, (await log.read('calls-1')).at(-1)?.position);
    await committed(log, write('task-2', 1, 'closed'));
    assert.equal(await committed(log, ...writes), position);
  });

  on('writes nothing of a batch that is refused', async (log) => {
    await committed(log, write('task-1', 0, 'opened'));
    const outcome = await log.append(batch([write('trace-1', 0, 'joined'), write('task-1', 0, 'other')]));
    assert.deepEqual(outcome, { kind: 'refused', violations: [{ stream: 'task-1', expected: 0, actual: 1 }] });
    assert.equal(await log.head('trace-1'), 0);
    assert.deepEqual(namesOf(await log.readAll({ after: 0n })), ['task-1@1']);
  });

  on('names every violation, of writes and of checks', async (log) => {
    await committed(log, write('a-1', 0, 1), write('b-1', 0, 1, 2), write('c-1', 0, 1));
    const outcome = await log.append(
      batch(
        [write('a-1', 0, 'x'), write('b-1', 7, 'x'), write('d-1', 0, 'x')],
        [
          { stream: 'c-1', expected: 1 },
          { stream: 'directives', expected: 3 },
        ],
      ),
    );
    assert.deepEqual(outcome, {
      kind: 'refused',
      violations: [
        { stream: 'a-1', expected: 0, actual: 1 },
        { stream: 'b-1', expected: 7, actual: 2 },
        { stream: 'directives', expected: 3, actual: 0 },
      ],
    });
  });

  on('checks streams that it does not write', async (log) => {
    await committed(log, write('directives', 0, 'issued'));
    const checked = (expected: number) =>
      log.append(batch([write('calls-1', 0, 'allow')], [{ stream: 'directives', expected }]));
    assert.equal((await checked(0)).kind, 'refused');
    assert.equal(await log.head('calls-1'), 0);
    assert.equal((await checked(1)).kind, 'committed');
  });

  on('answers a batch of checks alone, and writes nothing for it', async (log) => {
    const end = await committed(log, write('directives', 0, 'issued'));
    const held = await log.append(batch([], [{ stream: 'directives', expected: 1 }]));
    assert.ok(held.kind === 'committed' && held.position >= end);
    assert.equal((await log.append(batch([], [{ stream: 'directives', expected: 0 }]))).kind, 'refused');
    assert.equal(await log.end(), end);
  });

  on('takes a repeat of the same bytes for the same append, even when the checks have moved', async (log) => {
    const first = batch(
      [write('calls-1', 0, 'allow'), write('task-1', 0, 'counted')],
      [{ stream: 'directives', expected: 0 }],
    );
    const outcome = await log.append(first);
    await committed(log, write('directives', 0, 'issued'), write('calls-1', 1, 'later'));
    const repeat = await log.append(first);
    assert.ok(outcome.kind === 'committed' && repeat.kind === 'committed');
    assert.equal(repeat.position, outcome.position);
    assert.equal(await log.head('calls-1'), 2);
    assert.equal((await log.readAll({ after: 0n })).length, 4);
  });

  on('refuses other bytes at the same revision', async (log) => {
    await committed(log, write('calls-1', 0, 'allow'));
    assert.equal((await log.append(batch([write('calls-1', 0, 'deny')]))).kind, 'refused');
    assert.deepEqual((await log.read('calls-1')).map(dataOf), ['allow']);
  });

  on('refuses a mix of stored and new events', async (log) => {
    await committed(log, write('calls-1', 0, 'allow'));
    for (const mixed of [
      batch([write('calls-1', 0, 'allow'), write('task-1', 0, 'counted')]),
      batch([write('calls-1', 0, 'allow', 'more')]),
      batch([], [{ stream: 'calls-1', expected: 0 }]),
    ]) {
      assert.equal((await log.append(mixed)).kind, 'refused');
    }
    assert.deepEqual(namesOf(await log.readAll({ after: 0n })), ['calls-1@1']);
  });

  on('lets exactly one of a hundred racing appends have each revision', async (log) => {
    const kinds = await Promise.all(
      Array.from({ length: 100 }, (_, racer) => log.append(batch([write('calls-1', 0, { racer })]))),
    );
    assert.equal(kinds.filter(({ kind }) => kind === 'committed').length, 1);
    assert.equal(kinds.filter(({ kind }) => kind === 'refused').length, 99);

    const race = async (racer: number): Promise<void> => {
      for (;;) {
        const expected = await log.head('calls-2');
        if ((await log.append(batch([write('calls-2', expected, { racer })]))).kind === 'committed') return;
      }
    };
    await Promise.all(Array.from({ length: 12 }, (_, racer) => race(racer)));
    const events = await log.read('calls-2');
    assert.deepEqual(
      events.map(({ revision }) => revision),
      Array.from({ length: 12 }, (_, index) => index + 1),
    );
    assert.equal(new Set(events.map((event) => JSON.stringify(dataOf(event)))).size, 12);
  });

  on('commits pipelined batches of one stream in the order in which they were sent', async (log) => {
    const sent = Array.from({ length: 60 }, (_, index) => log.append(batch([write('calls-1', index, index)])));
    const outcomes = await Promise.all(sent);
    assert.ok(outcomes.every(({ kind }) => kind === 'committed'));
    assert.deepEqual(
      (await log.read('calls-1')).map(dataOf),
      Array.from({ length: 60 }, (_, index) => index),
    );
  });

  on('lets a refused batch not disturb those that were sent with it', async (log) => {
    const outcomes = await Promise.all([
      log.append(batch([write('a-1', 0, 1)])),
      log.append(batch([write('b-1', 0, 1), write('a-1', 5, 1)])),
      log.append(batch([write('b-1', 0, 2)])),
      log.append(batch([write('a-1', 1, 2)], [{ stream: 'b-1', expected: 1 }])),
    ]);
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ['committed', 'refused', 'committed', 'committed'],
    );
    assert.deepEqual((await log.read('b-1')).map(dataOf), [2]);
  });

  on('answers with as many payloads as a page holds, from the first on', async (log) => {
    const sizes = [1, 1_500_000, 1_500_000, 1_500_000, 1];
    const streams = sizes.map((size, index) => ({
      stream: `calls-${index}`,
      expected: 0,
      events: [fact(`calls-${index}`, 1, index, new Uint8Array(size).fill(index))],
    }));
    assert.equal((await log.append(batch(streams))).kind, 'committed');
    const places = streams.map(({ stream }) => ({ stream, revision: 1 }));
    const found: (Uint8Array | undefined)[] = [];
    while (found.length < places.length) {
      const page = await log.payloads(places.slice(found.length));
      assert.ok(page.length > 0 && page.length < places.length);
      found.push(...page);
    }
    assert.deepEqual(
      found.map((bytes) => [bytes?.length, bytes?.[0]]),
      sizes.map((size, index) => [size, index]),
    );
  });

  on('keeps payloads and blobs with the events that they came with', async (log) => {
    const blob = Buffer.from('{"tools":[]}');
    const digest = digestOfBytes(blob);
    const payload = Uint8Array.from([0, 1, 254, 255]);
    const events = [fact('calls-1', 1, 'allow', payload), fact('calls-1', 2, 'done')];
    const first = {
      writes: [{ stream: 'calls-1', expected: 0, events }],
      checks: [],
      blobs: [{ digest, bytes: blob }],
    };
    assert.equal((await log.append(first)).kind, 'committed');
    assert.deepEqual(Uint8Array.from((await log.payload('calls-1', 1)) ?? []), payload);
    assert.equal(await log.payload('calls-1', 2), undefined);
    assert.equal(await log.payload('calls-9', 1), undefined);
    const places = [2, 1].map((revision) => ({ stream: 'calls-1', revision }));
    const [none, some] = await log.payloads(places);
    assert.deepEqual([none, Uint8Array.from(some ?? [])], [undefined, payload]);
    assert.deepEqual(await log.payloads([{ stream: 'calls-9', revision: 1 }]), [undefined]);
    assert.deepEqual(Buffer.from((await log.blob(digest)) ?? []), blob);
    assert.equal(await log.blob(digestOfBytes('else')), undefined);
    // Sending the same blob again is no error. The caller still owns its bytes.
    assert.equal(
      (await log.append({ ...batch([write('calls-2', 0, 1)]), blobs: [{ digest, bytes: blob }] })).kind,
      'committed',
    );
    assert.equal(blob.toString(), '{"tools":[]}');

    const late = digestOfBytes('late');
    const refused = { ...batch([write('calls-1', 0, 'x')]), blobs: [{ digest: late, bytes: Buffer.from('late') }] };
    assert.equal((await log.append(refused)).kind, 'refused');
    assert.equal(await log.blob(late), undefined);
  });

  on('throws at a batch that breaks the rules of the port, and writes nothing', async (log) => {
    const bytes = Buffer.from('x');
    for (const broken of [
      batch([write('a-1', 0, 1), write('a-1', 1, 1)]),
      batch([write('a-1', 0, 1)], [{ stream: 'a-1', expected: 0 }]),
      batch([{ stream: 'a-1', expected: 0, events: [] }]),
      batch([{ stream: 'a-1', expected: 0, events: [fact('a-1', 2)] }]),
      batch([{ stream: 'a-1', expected: 0, events: [fact('a-2', 1)] }]),
      batch([write('A-1', 0, 1)]),
      batch([write('$a', 0, 1)]),
      batch([write('a-1', 0, 'x'.repeat(300_000))]),
      { ...batch([write('a-1', 0, 1)]), blobs: [{ digest: digestOfBytes('y'), bytes }] },
    ]) {
      await assert.rejects(log.append(broken), TypeError);
    }
    assert.equal(await log.end(), 0n);
  });

  on(
    'throws LogOverloaded when its queue is full, and takes nothing of that batch',
    async (log) => {
      const sent = Array.from({ length: 10 }, (_, index) => log.append(batch([write(`calls-${index}`, 0, index)])));
      const results = await Promise.allSettled(sent);
      const taken = results.filter(({ status }) => status === 'fulfilled').length;
      assert.equal(taken, 4);
      assert.ok(results.every((result) => result.status === 'fulfilled' || result.reason instanceof LogOverloaded));
      assert.equal((await log.readAll({ after: 0n })).length, 4);
      await committed(log, write('calls-9', 0, 'room again'));
    },
    { maxQueuedBatches: 4 },
  );

  on('finishes queued batches when it is closed, and takes nothing afterwards', async (log) => {
    const sent = Array.from({ length: 40 }, (_, index) => log.append(batch([write(`calls-${index}`, 0, index)])));
    let answered = 0;
    for (const one of sent) void one.then(() => (answered += 1));
    await log.close();
    assert.equal(answered, 40);
    const outcomes: AppendOutcome[] = await Promise.all(sent);
    assert.ok(outcomes.every(({ kind }) => kind === 'committed'));
    await assert.rejects(log.append(batch([write('calls-99', 0, 1)])), LogClosed);
    await assert.rejects(log.head('calls-1'), LogClosed);
    await log.close();
  });
}
