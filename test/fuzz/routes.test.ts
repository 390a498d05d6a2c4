import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { startService } from '../support/service.js';
import { heapMiB, MAX_GROWTH_MIB } from '../support/memory.js';
import { cooked, recipes, type Recipe } from './mutations.js';
import { rightRequests, type Right } from './requests.js';
import { FUZZ_SEED, fuzzing, IS_LONG } from './settings.js';
import { isSound, isWell, wireTo, type Reply } from './wire.js';
import { after, describe, test } from '../support/testing.js';

// Each route is a test of its own, so the routes have to be known when the file is loaded.
const service = await startService({ sealing: undefined });
const wire = wireTo(service.url);
const rights = await rightRequests(service);
after(async () => {
  console.log(`fuzz: seed ${FUZZ_SEED}, slowest answer ${wire.slowestMs().toFixed(0)} ms`);
  wire.close();
  await service.stop();
});

/** Replacements for a part of a path, or for a query. */
const ODD = fc.oneof(
  fc.constantFrom(
    '',
    '.',
    '..',
    '__proto__',
    'constructor',
    '\u0000',
    '%',
    '%00',
    '%c0%af',
    'a/b',
    "' OR 1=1 --",
    '-1',
  ),
  fc.constantFrom('1e400', '9007199254740993', 'x'.repeat(900), 'x'.repeat(3000), 'é', '\u{1f600}', 'NaN', '1.0.0'),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => text.toWellFormed()),
  fc.uuid(),
);
const QUERY_KEYS = fc.constantFrom(
  'limit',
  'cursor',
  'after',
  'types',
  'against',
  'status',
  '__proto__',
  'from',
  'task',
);

interface Bent {
  /** Which segment of the path is replaced, if any. */
  readonly segment: { readonly at: number; readonly by: string } | undefined;
  readonly query: readonly (readonly [string, string])[];
  readonly caller: 'right' | 'nobody' | 'wrong';
}

const bent: fc.Arbitrary<Bent> = fc.record({
  segment: fc.option(fc.record({ at: fc.nat(20), by: ODD }), { nil: undefined, freq: 4 }),
  query: fc.array(fc.tuple(QUERY_KEYS, ODD), { maxLength: 2 }),
  caller: fc.constantFrom('right', 'right', 'right', 'right', 'right', 'right', 'nobody', 'wrong'),
});

function bentPath(path: string, { segment, query }: Bent): string {
  const [plain = '', given] = path.split('?');
  const parts = plain.split('/').slice(1);
  const by = segment === undefined ? '' : encodeURIComponent(segment.by);
  // The first two name the route; another route is fuzzed under its own name.
  const at = segment === undefined || parts.length < 3 ? -1 : 2 + (segment.at % (parts.length - 2));
  const more = query.map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
  const all = [...(given === undefined ? [] : [given]), ...more].join('&');
  return `/${parts.map((part, index) => (index === at ? by : part)).join('/')}${all === '' ? '' : `?${all}`}`;
}

async function ask(method: string, right: Right, recipe: Recipe, how: Bent): Promise<Reply> {
  const wrong = right.who === 'auditor' ? undefined : service.tokens.auditor;
  const token = { right: right.who === 'nobody' ? undefined : service.tokens[right.who], nobody: undefined, wrong };
  const bearer = token[how.caller];
  const authorization: Record<string, string> = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  const path = bentPath(right.path, how);
  if (right.body === undefined && method !== 'POST') return wire.send(method, path, authorization);
  const { bytes, headers } = cooked(right.body, recipe);
  return wire.send(method, path, { ...headers, ...authorization }, bytes);
}

test('every route is fuzzed, and what a right request asks for is done', async () => {
  const routes = service.server.routes.map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(Object.keys(rights).sort(), routes.sort());
  const unchanged: Recipe = { mutations: [], spoiling: { kind: 'none' } };
  for (const [route, make] of Object.entries(rights)) {
    const reply = await ask(route.split(' ')[0] ?? '', await make(), unchanged, {
      segment: undefined,
      query: [],
      caller: 'right',
    });
    isSound(reply);
    // The log of this service has no whole tile.
    const nothingThere = /^DELETE|\/lift$|\/log\/tile\/:level\/:first(\/:second\/:third)?$/.test(route);
    assert.ok(
      nothingThere ? reply.status === 404 : reply.status < 300 || reply.status === 409,
      `${route}: ${reply.status}`,
    );
  }
});

describe('no nearly right request breaks a route', () => {
  for (const [route, make] of Object.entries(rights)) {
    test(route, async () => {
      const method = route.split(' ')[0] ?? '';
      const statuses = new Map<number, number>();
      const earlierMiB = IS_LONG ? heapMiB() : 0;
      const property = fc.asyncProperty(recipes, bent, async (recipe, how) => {
        const right = await make();
        const reply = await ask(method, right, recipe, how);
        statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
        isSound(reply);
        const isClosed = how.caller === 'nobody' || (how.caller === 'wrong' && method !== 'GET');
        if (isClosed && right.who !== 'nobody') assert.ok(reply.status >= 400, `${reply.status} to ${how.caller}`);
      });
      await fc.assert(property, fuzzing());
      const told = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
      if (!IS_LONG) return;
      const grownMiB = heapMiB() - earlierMiB;
      console.log(`${route}: ${told.join(', ')}; heap ${grownMiB.toFixed(1)} MiB`);
      assert.ok(grownMiB < MAX_GROWTH_MIB, `${grownMiB} MiB are left`);
    });
  }
  test('and the service is well after all of them', () => isWell(service));
});
