import assert from 'node:assert/strict';
import { join } from 'node:path';
import { GO_UNAVAILABLE, environment, ran } from '../languages/place.js';
import { decide } from '../support/calls.js';
import { projectRoot } from '../support/root.js';
import { startService, type TestService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';
import { openTask, readyWorld } from '../support/world.js';

/** A second implementation verifies the log: golang.org/x/mod, with no code of ours below it. */

const MODULE = join(projectRoot, 'test/interop/go');
/** More leaves than a whole tile has. */
const CALLS = 300;

let service: TestService;
let trace = '';
before(async () => {
  service = await startService({ sealing: undefined });
  await readyWorld(service);
  const first = await openTask(service);
  trace = first.traceId;
  const many = await openTask(service);
  for (let at = 0; at < 12; at += 1) await decide(service, first);
  for (let at = 0; at < CALLS; at += 1) await decide(service, many);
  await sealed();
});
after(() => service.stop());

/** Waits until three checkpoints are there, the last of them with a whole tile. */
async function sealed(): Promise<void> {
  for (;;) {
    const { items } = (await service.call('auditor', 'GET', '/v1/audit/checkpoints')).body;
    if (items.length >= 3 && items.at(-1).size > CALLS) return;
    await decide(service, await openTask(service));
  }
}

test('Go verifies checkpoint, inclusion, consistency and tiles of a service, and refuses falsified ones', async (t) => {
  const env = {
    ...environment(service, ''),
    SALLYPORT_TOKEN: service.tokens.auditor,
    INTEROP_TRACE: trace,
  };
  const { code, out, err } = await ran(`cd ${MODULE} && go test -count=1 -v .`, env);
  if (code !== 0 && GO_UNAVAILABLE.test(out + err)) return t.skip(`Go or its module cannot be had here: ${err}`);
  assert.equal(code, 0, out + err);
  for (const name of ['Checkpoint', 'Inclusion', 'Consistency', 'Tiles'])
    assert.match(out, new RegExp(`^--- PASS: Test${name} `, 'm'));
  for (const refusal of ['another key', 'another root', 'an edited proof', 'an edited tile', 'an edited event'])
    assert.match(out, new RegExp(`${refusal}.*: `), refusal);
  t.diagnostic(`${(out.match(/log_test\.go:\d+: .*: /g) ?? []).length} falsified answers refused by Go`);
});
