import assert from 'node:assert/strict';
import { keyCursor } from '../../libs/audit/cursor.js';
import { unique } from '../support/actors.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { expecting } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** `GET /v1/directives?state=`: directives with their ends. */

let service: TestService;
before(async () => {
  service = await startService();
});
after(() => service.stop());

const read = (query: string, who: Answered = 'auditor') => service.call(who, 'GET', `/v1/directives${query}`);

async function issue(reason = 'test'): Promise<string> {
  const body = { target: { type: 'category', category: unique('records') }, reason };
  return expecting(201, await service.call('operator', 'POST', '/v1/directives', body)).id;
}

async function lift(id: string, reason = 'over'): Promise<Answered> {
  return expecting(200, await service.call('operator', 'POST', `/v1/directives/${id}/lift`, { reason }));
}

/** Every id of a list, page by page. `between` runs after each page but the last. */
async function idsOf(state: string, between: () => Promise<unknown>): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor = ''; ;) {
    const page = expecting(200, await read(`?state=${state}&limit=2${cursor}`));
    assert.ok(page.items.length <= 2);
    ids.push(...page.items.map(({ id }: Answered) => id));
    if (page.next === undefined) return ids;
    cursor = `&cursor=${encodeURIComponent(page.next)}`;
    await between();
  }
}

test('a lifted directive is listed with its end, an active one without', async () => {
  const [lifted, active] = [await issue('INC-1'), await issue('INC-2')];
  const { epoch } = await lift(lifted, 'INC-1 is closed');
  const { items } = expecting(200, await read('?state=all'));
  assert.deepEqual(
    items.slice(0, 2).map(({ id }: Answered) => id),
    [active, lifted],
    'the newest first',
  );
  const [standing, ended] = items;
  assert.deepEqual(
    [ended.state, ended.reason, ended.issuedBy, ended.liftedBy, ended.liftReason, ended.liftedInEpoch],
    ['lifted', 'INC-1', 'local-operator', 'local-operator', 'INC-1 is closed', epoch],
  );
  assert.ok(ended.issuedAt <= ended.liftedAt);
  assert.deepEqual([standing.state, standing.liftedBy, standing.liftedAt], ['active', undefined, undefined]);
  const only = expecting(200, await read('?state=lifted')).items;
  assert.deepEqual(
    only.map(({ id }: Answered) => id),
    [lifted],
  );
});

test('the active ones are a signed beat, with the state or without', async () => {
  const id = await issue();
  for (const query of ['', '?state=active']) {
    const beat = expecting(200, await read(query, 'host'));
    assert.ok(beat.active.some((each: Answered) => each.id === id) && typeof beat.signature === 'string');
  }
  for (const query of [
    '?limit=2',
    '?state=active&cursor=3',
    '?state=gone',
    '?state=all&cursor=x',
    `?state=all&cursor=${keyCursor('x')}`,
    '?state=all&cursor=1',
    '?state=all&limit=1001',
  ])
    refused(400, 'malformed_request', await read(query));
});

test('pages have each directive once while others are issued and lifted', async () => {
  const known: string[] = [];
  for (let index = 0; index < 9; index += 1) known.push(await issue());
  for (const id of known.slice(0, 6)) await lift(id);
  const waiting = known.slice(6);
  const write = async () => {
    await issue();
    const next = waiting.pop();
    if (next !== undefined) await lift(next);
  };
  const all = await idsOf('all', write);
  assert.equal(new Set(all).size, all.length);
  for (const id of known) assert.ok(all.includes(id));
  const lifted = await idsOf('lifted', async () => lift(await issue()));
  assert.equal(new Set(lifted).size, lifted.length);
  for (const id of known.slice(0, 6)) assert.ok(lifted.includes(id));
});
