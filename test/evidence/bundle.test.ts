import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { verifyBundle } from '../../libs/bundle/verify.js';
import { canonicalJson } from '../../libs/kernel/canonical-json.js';
import { parseVerifier } from '../../libs/transparency/note.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { decide } from '../support/calls.js';
import { openTask, readyWorld } from '../support/world.js';
import { projectRoot } from '../support/root.js';
import { after, before, test } from '../support/testing.js';
import { bundleOf, foreignBundle, verifier, type Exported } from './bundles.js';
import { FALSIFICATIONS } from './falsified.js';
import { anotherCapability, mixedTrace, type MixedTrace } from './mixed.js';

let service: TestService;
let trace: MixedTrace;
let bundle: Exported;
let other: Answered;
before(async () => {
  service = await startService({ sealing: undefined });
  await readyWorld(service);
  const early = await openTask(service);
  await decide(service, early);
  const older = JSON.parse((await bundleOf(service, early.traceId)).text);
  trace = await mixedTrace(service);
  await anotherCapability(service, 'second');
  const { traceId } = await mixedTrace(service, 'second');
  // The checkpoint of the other trace, or a later one: it has the events of both.
  other = JSON.parse((await bundleOf(service, traceId)).text);
  bundle = await bundleOf(service, trace.traceId);
  other.older = older;
  other.foreign = JSON.parse(await foreignBundle(service, trace.traceId));
});
after(() => service.stop());

test('a bundle is verified offline: signature, inclusion, completeness, content, and every decision again', async (t) => {
  const verify = verifier(t);
  const { text, key } = bundle;
  const whole = await verify(text, key);
  assert.equal(whole.code, 0, whole.out + whole.err);
  assert.equal(whole.first, `SOUND: trace ${trace.traceId} with 11 calls`);
  for (const line of [
    /signed by key \w{8} of sallyport\/[0-9a-f-]{36}/,
    /is a key that was given with --key/,
    /32 events are canonical, their ids fit, and each is in the log/,
    /nothing is left out of, or put into, the 5 streams of the trace/,
    /the content of 18 events is what they committed to/,
    /11 of 11 decisions come out the same again, from the bundle alone/,
    /4 of 4 responses get the same verdict again/,
  ])
    assert.match(whole.out, line);
  assert.match(whole.out, /open question: whether refused calls .* were left out; here are 1 in refusals-local-host$/m);
  assert.match(whole.out, /open question: whether a drift .* left out after capability-memory@\d+, directives@\d+$/m);
  const untrusted = await verify(text);
  assert.equal(untrusted.code, 8);
  assert.match(untrusted.out, /not shown: no key was given: .* is only the bundle's own word/);
  assert.equal((await verify(text, '--key', 'nonsense')).code, 2);
});

test('without content the rest is verified, and the verdict says what is not shown', async (t) => {
  const { text, key } = await bundleOf(service, trace.traceId, '?content=omit');
  assert.equal(text.includes('sum up the week'), false);
  const { code, out } = await verifier(t)(text, key);
  assert.equal(code, 8, out);
  assert.match(
    out,
    /^SOUND AS FAR AS IT GOES: .*\n {2}not shown: the bundle was exported without content: that of 18 events/,
  );
});

test('the bundle of the first version of the format is sound, by all later versions', async (t) => {
  const golden = (name: string) => readFileSync(join(projectRoot, 'test/golden/bundle', name), 'utf8');
  const { code, out, first } = await verifier(t)(golden('bundle.json'), golden('log-key.json'));
  assert.equal(code, 0, out);
  assert.match(first, /^SOUND: trace \w{32} with 11 calls$/);
});

test('a falsified bundle is not sound, and the first line says where', async (t) => {
  const verify = verifier(t);
  const missed: string[] = [];
  for (const [name, falsify, line] of FALSIFICATIONS) {
    const falsified = JSON.parse(bundle.text);
    falsify(falsified, structuredClone(other));
    const text = JSON.stringify(falsified);
    assert.notEqual(text, bundle.text, name);
    const { code, first, err } = await verify(text, bundle.key);
    if (code !== 1 || !line.test(first)) missed.push(`${name}: ${code} ${first}${err}`);
  }
  assert.deepEqual(missed, []);
});

test('a text that two readers could understand differently is not sound', async (t) => {
  const verify = verifier(t);
  const { text, key } = bundle;
  for (const [falsified, line] of [
    [text.replace('{"format":1', '{"format":1,"format":1'), /the file: the same key twice/],
    [
      text.replace('"documents":{', '"documents":{"a":1,"a":1,'),
      /^NOT SOUND: the file: \/documents: the same key twice/,
    ],
    [text.replace('{"format":1', '{"__proto__":{},"format":1'), /the file: Unrecognized key/],
    [text.replace('{"format":1', '{"format":1.00000000000000000001'), /cannot hold exactly/],
    [text.slice(0, -1), /the file: not JSON/],
    ['', /the file: not JSON/],
    ['[]', /the file: /],
    [`${'['.repeat(5000)}${']'.repeat(5000)}`, /the file: nested deeper/],
  ] as const) {
    assert.notEqual(falsified, text);
    const { code, first } = await verify(falsified, key);
    assert.equal(code, 1, first);
    assert.match(first, line);
  }
  assert.equal((await verify(`${text}\n`, key)).code, 0);
});

/** All places in a JSON value, as paths of keys. */
function* placesIn(value: Answered, path: readonly (string | number)[] = []): Generator<readonly (string | number)[]> {
  yield path;
  if (typeof value !== 'object' || value === null) return;
  for (const key of Object.keys(value))
    yield* placesIn(value[key], [...path, Array.isArray(value) ? Number(key) : key]);
}

/** Changes one place of a value: another scalar, a member less, more or twice, or two items swapped. */
function changedAt(root: Answered, path: readonly (string | number)[], kind: number, extra: Answered): void {
  const key = path.at(-1);
  if (key === undefined) return void (root.extra = extra);
  const parent = path.slice(0, -1).reduce<Answered>((value, step) => value[step], root);
  const value = parent[key];
  const items = Array.isArray(parent) ? parent : undefined;
  if (kind === 0 && items === undefined) delete parent[key];
  else if (kind === 0) items?.splice(Number(key), 1);
  else if (kind === 1) parent[key] = extra;
  else if (kind === 2 && items !== undefined) items.splice(Number(key), 0, structuredClone(value));
  else if (kind === 3 && items !== undefined) [items[0], items[Number(key)]] = [value, items[0]];
  else if (typeof value === 'string') parent[key] = value.slice(0, -1) + (value.endsWith('x') ? 'y' : 'x');
  else if (typeof value === 'number') parent[key] = value + 1;
  else if (typeof value === 'boolean') parent[key] = !value;
  else if (Array.isArray(value)) value.push(extra);
  else if (value === null) parent[key] = extra;
  else value['extra'] = extra;
}

test('no change of one place of the JSON leaves a bundle sound', async (t) => {
  const whole = JSON.parse(bundle.text);
  const key = parseVerifier(whole.keys[0]) ?? assert.fail();
  const places = [...placesIn(whole)];
  let tried = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.nat(places.length - 1),
      fc.nat(4),
      fc.jsonValue({ maxDepth: 1 }),
      async (place, kind, extra) => {
        const changed = structuredClone(whole);
        changedAt(changed, places[place] ?? [], kind, extra);
        const text = JSON.stringify(changed);
        if (canonicalJson(JSON.parse(text)) === canonicalJson(whole)) return;
        tried += 1;
        const { soundness } = await verifyBundle(text, { keys: [key] });
        assert.equal(soundness === 'sound', false, `${places[place]?.join('/')} ${kind}`);
      },
    ),
    { numRuns: Number(process.env['SALLYPORT_BUNDLE_EDITS'] ?? 300) },
  );
  t.diagnostic(`${tried} changes of ${places.length} places, 0 missed`);
});
