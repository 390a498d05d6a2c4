import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../apps/cli/program.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';
import { expecting, readyWorld } from '../support/world.js';
import { bundleOf, verifier, type Exported } from './bundles.js';
import { mixedTrace } from './mixed.js';

/** The report of a trace from a bundle says the same as the one of the service. */

let service: TestService;
let traceId = '';
let bundle: Exported;
before(async () => {
  service = await startService({ sealing: undefined });
  await readyWorld(service);
  ({ traceId } = await mixedTrace(service));
  bundle = await bundleOf(service, traceId);
});
after(() => service.stop());

/** Without positions, which a bundle has no way to know, and names of users. */
const compared = (evidence: Answered): Answered =>
  JSON.parse(
    JSON.stringify(evidence, (name, value) => {
      if (['position', 'openedAt', 'capabilityHistory', 'histories'].includes(name)) return undefined;
      return name === 'user' && value?.pseudonym !== undefined ? { ...value, id: value.pseudonym } : value;
    }),
  );

test('a report from the bundle has the tasks, calls and events of the service, after the verdict', async (t) => {
  const verify = verifier(t);
  const online = expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${traceId}`));
  const { code, out } = await verify(bundle.text, bundle.key, '--report', '--format', 'json');
  assert.equal(code, 0, out);
  const { verdict, tasks, calls, events, histories } = JSON.parse(out);
  assert.equal(verdict.soundness, 'sound');
  assert.deepEqual(compared({ tasks, calls }), compared({ tasks: online.tasks, calls: online.calls }));
  const byId = (list: Answered[]) => compared(list).sort((a: Answered, b: Answered) => (a.id < b.id ? -1 : 1));
  assert.deepEqual(byId(events), byId(online.events));
  assert.ok(histories.memory.some(({ type }: Answered) => type === 'VersionReviewed'));
  const text = await verify(bundle.text, bundle.key, '--report');
  assert.equal(text.first, `SOUND: trace ${traceId} with 11 calls`);
  assert.match(text.out, /^ {2}Denied: the scope of the task does not cover store \(write\) of memory$/m);
  assert.match(text.out, /VersionReviewed/);
});

test('a report is of the chosen calls, on paper too', async (t) => {
  const verify = verifier(t);
  const denied = await verify(bundle.text, bundle.key, '--report', '--denied', '--format', 'html');
  assert.match(denied.out, /^<!doctype html>[^]*<p>SOUND: trace \w{32} with 11 calls<\/p>/);
  assert.doesNotMatch(denied.out, /Allowed: /);
  const { calls } = JSON.parse((await verify(bundle.text, bundle.key, '--report', '--json')).out);
  const one = await verify(bundle.text, bundle.key, '--report', '--call', calls[0].callId, '--format', 'markdown');
  assert.equal(one.out.match(/^### /gm)?.length, 1, one.out);
  const unknown = await verify(bundle.text, bundle.key, '--report', '--call', 'nobody');
  assert.deepEqual([unknown.code, unknown.out], [2, '']);
  assert.equal((await verify(bundle.text, bundle.key, '--denied')).code, 2);
});

test('a bundle that is not sound has no report, and one without content says what is not shown', async (t) => {
  const verify = verifier(t);
  const altered = JSON.parse(bundle.text);
  altered.events[3] = altered.events[3].replace('"data"', '"dbta"');
  // This fault is found after the streams were read.
  const late = JSON.parse(bundle.text);
  late.documents[`sha256:${'0'.repeat(64)}`] = { put: 'in' };
  for (const falsified of [altered, late])
    for (const format of ['text', 'html', 'json']) {
      const { code, out } = await verify(JSON.stringify(falsified), bundle.key, '--report', '--format', format);
      assert.equal(code, 1);
      assert.doesNotMatch(out, /Denied: |<h1>|"events"/);
    }
  const { text, key } = await bundleOf(service, traceId, '?content=omit');
  const { code, out, first } = await verify(text, key, '--report');
  assert.equal(code, 8, out);
  assert.match(first, /^SOUND AS FAR AS IT GOES: /);
  assert.match(out, /^Not shown: the bundle was exported without content/m);
  assert.match(out, /Denied: /);
});

test('sallyport bundle writes the bundle that verify reads, for its owner alone, or no file', async (t) => {
  const cwd = mkdtempSync(join(tmpdir(), 'bundle-'));
  t.after(() => rmSync(cwd, { recursive: true }));
  const sallyport = async (...args: string[]) => {
    let [out, err] = ['', ''];
    const code = await run(args, {
      env: { SALLYPORT_TOKEN: service.tokens.auditor, SALLYPORT_URL: service.url },
      cwd,
      out: (piece) => void (out += piece),
      err: (piece) => void (err += piece),
      readStdin: () => Promise.resolve(''),
    });
    return { code, out, err };
  };
  const whole = await sallyport('bundle', traceId, '--out', 'trace.json');
  assert.equal(whole.code, 0, whole.err);
  assert.match(whole.out, /^wrote trace\.json \(\d+ bytes\)\nnext: sallyport verify trace\.json --key /);
  assert.equal(statSync(join(cwd, 'trace.json')).mode & 0o777, 0o600);
  const text = readFileSync(join(cwd, 'trace.json'), 'utf8');
  assert.equal((await verifier(t)(text, bundle.key)).code, 0);
  assert.equal((await sallyport('bundle', traceId, '--out', 'less.json', '--content', 'omit')).code, 0);
  assert.equal(readFileSync(join(cwd, 'less.json'), 'utf8').includes('sum up the week'), false);
  const unknown = await sallyport('bundle', 'ab'.repeat(16), '--out', 'none.json');
  assert.deepEqual([unknown.code, readdirSync(cwd).sort()], [4, ['less.json', 'trace.json']]);
  assert.match(unknown.err, /^sallyport: not_found: /);
  assert.equal((await sallyport('bundle', traceId, '--out', 'no/such/folder.json')).code, 2);
});
