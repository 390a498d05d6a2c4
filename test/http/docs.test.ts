import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { Parser } from '@asyncapi/parser';
import { DIRECTIVES_TOPIC } from '../../libs/feed/kafka/kafka-feed.js';
import { EVENTS_TOPIC, SIEM_TOPIC } from '../../libs/relay/outlets.js';
import { families } from '../../libs/streams/catalogue.js';
import type { FastifyRequest } from 'fastify';
import { DocsController } from '../../apps/pdp/docs/docs.controller.js';
import type { Asked } from '../../apps/pdp/edge/asked.js';
import type { getOpenApi } from '../../libs/contract/docs.js';
import { html } from '../../apps/pdp/docs/html.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';
import { expecting } from '../support/world.js';

let service: TestService;
let described: Answered;
before(async () => {
  service = await startService();
  described = expecting(200, await service.call('nobody', 'GET', '/asyncapi.json'));
});
after(() => service.stop());

test('the description of the topics is valid AsyncAPI 3', async () => {
  const { document, diagnostics } = await new Parser().parse(JSON.stringify(described));
  assert.ok(document !== undefined, JSON.stringify(diagnostics, undefined, 2));
});

test('the topics that the relay writes are described, and no others', () => {
  const addresses = Object.values<Answered>(described.channels).map(({ address }) => address);
  assert.deepEqual(addresses.sort(), [DIRECTIVES_TOPIC, EVENTS_TOPIC, SIEM_TOPIC].sort());
});

test('every event type but the bookkeeping of the relay is a message of the events topic', () => {
  const types = Object.values(families).flatMap((family) =>
    family.role === 'bookkeeping' ? [] : Object.keys(family.types),
  );
  assert.ok(types.length > 20);
  assert.deepEqual(Object.keys(described.channels.events.messages).sort(), [...types, 'Unreadable'].sort());
  for (const type of types) {
    const message = described.components.messages[type];
    assert.match(message.name, new RegExp(`^sallyport\\.${type}\\.v\\d+$`));
    const name = message.name.slice('sallyport.'.length);
    assert.equal(message.payload.$ref, `#/components/schemas/${name}`);
    assert.equal(described.components.schemas[name].type, 'object');
  }
});

test('the page shows every operation, topic and schema, and runs no script', async () => {
  const answer = await fetch(`${service.url}/docs`);
  const page = await answer.text();
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8');
  const http = expecting(200, await service.call('nobody', 'GET', '/openapi.json'));
  for (const [path, methods] of Object.entries<Answered>(http.paths)) {
    for (const method of Object.keys(methods)) {
      assert.ok(page.includes(`<code>${method.toUpperCase()} ${path}</code>`), `${method} ${path}`);
    }
  }
  for (const name of Object.keys(http.components.schemas)) assert.ok(page.includes(`id="schema-${name}"`), name);
  for (const { name } of Object.values<Answered>(described.components.messages)) assert.ok(page.includes(name), name);
  for (const [, anchor] of page.matchAll(/href="#([^"]+)"/g)) assert.ok(page.includes(`id="${anchor}"`), anchor);
  assert.doesNotMatch(page, /<script|javascript:|\son\w+=|(src|href)="(https?:)?\/\//i);
  const style = /<style>([\s\S]*)<\/style>/.exec(page)?.[1] ?? '';
  const hash = createHash('sha256').update(style).digest('base64');
  const policy = answer.headers.get('content-security-policy') ?? '';
  assert.ok(policy.startsWith("default-src 'none'") && policy.includes(`'sha256-${hash}'`), policy);
});

test('words of a description never become markup', () => {
  const word = `<img src=x onerror="alert('1')">&`;
  const { text } = html`<p title="${word}">${word}</p>`;
  assert.equal(text.match(/[<>]/g)?.length, 4);
  assert.equal(text.match(/"/g)?.length, 2);
});

test('few descriptions are under way at once, and a client that has gone makes room', async () => {
  const docs = new DocsController();
  const clients: EventEmitter[] = [];
  const ask = async (): Promise<void> => {
    const raw = Object.assign(new EventEmitter(), { closed: false });
    const reply = { raw, headers: () => undefined, status: () => undefined };
    // The decorator makes the method answer later.
    await Promise.resolve(
      docs.describeHttp({} as Asked<typeof getOpenApi>, { headers: {} } as FastifyRequest, reply as never),
    );
    clients.push(raw);
  };
  for (let asked = 0; asked < 32; asked += 1) await ask();
  await assert.rejects(ask, /too many descriptions/);
  clients[7]?.emit('close');
  await ask();
  await assert.rejects(ask, /too many descriptions/);
});
