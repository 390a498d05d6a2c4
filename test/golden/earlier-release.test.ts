import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { addApprover, decideApproval } from '../support/approvals.js';
import { OVERRIDE, textResult } from '../support/quarantine.js';
import { startService, type Answered } from '../support/service.js';
import { callBody, expecting } from '../support/world.js';
import { test } from '../support/testing.js';
import { namesIn, readJson } from './files.js';

/**
 * Data folders that builds of earlier deciders left behind, as they wrote them: the log, the keys of tasks, and the tokens
 * of a service that existed for that alone. Such a file is never changed.
 */
interface EarlierFolder {
  readonly madeAt: string;
  readonly taskId: string;
  readonly traceId: string;
  readonly definitionDigest: string;
  /** An allowed call without a response. */
  readonly open: string;
  readonly files: Readonly<Record<string, string>>;
}

/** The text of the first response. */
const EARLIER = 'the quarterly numbers of the northern division fell by eleven percent';

function unpacked({ files }: EarlierFolder): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-earlier-'));
  for (const [name, packed] of Object.entries(files))
    writeFileSync(join(dataDir, name), gunzipSync(Buffer.from(packed, 'base64')), { mode: 0o600 });
  return dataDir;
}

for (const name of namesIn('folders')) {
  test(`${name}: its decisions replay, and its task goes on under the rules of today`, async (t) => {
    const earlier = readJson<EarlierFolder>('folders', name);
    const { taskId, traceId, definitionDigest, open } = earlier;
    // Its task is open then.
    const behindMs = Date.now() - Date.parse(earlier.madeAt);
    const clock = { wallMs: () => Date.now() - behindMs, monotonicMs: () => performance.now() };
    const service = await startService({ dataDir: unpacked(earlier), clock });
    t.after(() => service.stop());
    const get = async (path: string): Promise<Answered> =>
      expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${traceId}${path}`));
    const before = await get('/replay');
    assert.equal(before.identical, true);
    assert.ok(before.calls.length > 5);
    assert.equal((await get('')).calls.length, before.calls.length);

    const ask = async (more: Answered): Promise<Answered> => {
      const body = callBody({ taskId, pins: [{ definitionDigest }] }, more);
      return expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body));
    };
    const respond = async (callId: string, response: Answered): Promise<Answered> =>
      expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/response`, { taskId, ...response }));
    // A call of then gets its response now, and text of then keeps its label.
    const counted = await respond(open, { result: { content: [], structuredContent: { notes: 2 } } });
    assert.equal(counted.verdict, 'accepted');
    const { outbound } = await ask({ operation: 'store', arguments: { note: `FYI: ${EARLIER}` } });
    assert.deepEqual([outbound.labels[0]?.path, outbound.labels[0]?.level], ['/arguments/note', 'internal']);

    const recalled = await ask({});
    assert.equal((await respond(recalled.callId, textResult(OVERRIDE))).verdict, 'quarantined');
    const store = { operation: 'store', arguments: { a: 1 } };
    const { approval } = await ask(store);
    assert.deepEqual(approval.why, ['tainted']);
    const ada = await addApprover(service, 'ada');
    expecting(200, await decideApproval(service, ada, approval.id, 'granted'));
    assert.equal((await ask(store)).decision, 'allow');

    const after = await get('/replay');
    assert.equal(after.identical, true);
    const known = new Map(after.calls.map((call: Answered) => [call.position, call]));
    for (const call of before.calls) {
      const { response: _, ...same } = known.get(call.position) as Answered;
      const { response: __, ...then } = call;
      assert.deepEqual(same, then);
    }
  });
}
