import assert from 'node:assert/strict';
import { UriTemplate } from '@modelcontextprotocol/sdk/shared/uriTemplate.js';
import { operationsReading, uriFault } from './resource-uri.js';
import { test } from '../../test/support/testing.js';

/** template | URI | what is wrong with it */
const TEMPLATES: readonly [string, string, string | undefined][] = [
  ['db://{table}', 'db://orders', undefined],
  ['db://{table}', 'db://caf%C3%A9', undefined],
  ['db://{table}', 'db://café', undefined],
  ['db://{table}', 'db://100%25', undefined],
  ['db://{table}', 'db://a%3Ab', undefined],
  ['db://{table}', 'db://', 'uriTemplate'],
  ['db://{table}', 'db://a/b', 'uriTemplate'],
  ['db://{table}', 'db://a?b', 'uriTemplate'],
  ['db://{table}', 'db://a#b', 'uriTemplate'],
  ['db://{table}', 'db://a b', 'uriTemplate'],
  ['db://{table}', 'other://a', 'uriTemplate'],
  ['db://{table}', 'db://%E4', 'uriTemplate'],
  ['db://{table}', 'db://%c0%af', 'uriTemplate'],
  ['db://{table}', 'db://%u002f', 'uriTemplate'],
  ['db://{table}', `db://${'a'.repeat(8192)}`, 'uriTemplate'],
  ['db://{table}', 'db://..', 'dotSegment'],
  ['db://{table}', 'db://.', 'dotSegment'],
  ['db://{table}', 'db://%2e%2E', 'dotSegment'],
  ['db://{table}', 'db://.%2e', 'dotSegment'],
  ['db://{table}', 'db://..%20', 'dotSegment'],
  ['db://{table}', 'db://...', undefined],
  ['db://{table}', 'db://a%2Fb', 'separator'],
  ['db://{table}', 'db://a%5cb', 'separator'],
  ['db://{table}', 'db://a\\b', 'separator'],
  ['db://{table}', 'db://a%252fb', 'separator'],
  ['db://{table}', 'db://a%25252fb', 'separator'],
  ['db://{table}', 'db://%252e%252e', 'separator'],
  ['db://{table}', 'db://a%00', 'control'],
  ['db://{table}', 'db://a%0Ab', 'control'],
  ['db://{table}', 'db://a\tb', 'control'],
  ['file:///{+path}', 'file:///..%E2%80%8B/y', 'control'],
  ['file:///{+path}', 'file:///．．/etc', 'dotSegment'],
  ['db://{table}', 'db://a%C2%85', 'control'],
  ['db://{table}', 'db://a%E2%80%A8', 'control'],
  ['db://{a}/{b}', 'db://x/y', undefined],
  ['db://{a}/{b}', 'db://x/..', 'dotSegment'],
  ['db://{a}{b}', 'db://..', 'dotSegment'],
  ['db://.{a}', 'db://..', 'dotSegment'],
  ['db://{x,y}', 'db://1024,768', undefined],
  ['db://{x:3}', 'db://abc', undefined],
  ['db://{x:3}', 'db://abcd', 'uriTemplate'],
  ['file:///{+path}', 'file:///a/b/c.txt', undefined],
  ['file:///{+path}', 'file:///a/../c.txt', 'dotSegment'],
  ['file:///{+path}', 'file:///../c.txt', 'dotSegment'],
  ['file:///{+path}', 'file:///a/..;/c.txt', 'dotSegment'],
  ['file:///{+path}', 'file:///a/%2e%2e/c.txt', 'dotSegment'],
  ['file:///{+path}', 'file:///a%2f..%2fc', 'separator'],
  ['page://x{#part}', 'page://x#part', undefined],
  ['page://x{#part}', 'page://x', undefined],
  ['page://x{#part}', 'page://xpart', 'uriTemplate'],
  ['file://x{.ext}', 'file://x.tar.gz', undefined],
  ['repo://a{/owner,name}', 'repo://a/o/n', undefined],
  ['repo://a{/owner,name}', 'repo://a/o/n/m', 'uriTemplate'],
  ['repo://a{/parts*}', 'repo://a/o/n/m', undefined],
  ['repo://a{/parts*}', 'repo://a/o/../m', 'dotSegment'],
  ['m://x{;a,b}', 'm://x;a=1;b', undefined],
  ['m://x{;a,b}', 'm://x;c=1', 'uriTemplate'],
  ['q://x{?a,b}', 'q://x', undefined],
  ['q://x{?a,b}', 'q://x?a=1', undefined],
  ['q://x{?a,b}', 'q://x?b=1', undefined],
  ['q://x{?a,b}', 'q://x?a=1&b=', undefined],
  ['q://x{?a,b}', 'q://x?a=1&c=2', 'uriTemplate'],
  ['q://x{?a,b}', 'q://x%3Fa=1', 'uriTemplate'],
  ['q://x{?a,b}', 'q://x?a=..', 'dotSegment'],
  ['q://x{?a*}', 'q://x?a=1&a=2', undefined],
  ['q://x?fixed=1{&a}', 'q://x?fixed=1&a=2', undefined],
  ['q://x?fixed=1{&a}', 'q://x?fixed=2&a=2', 'uriTemplate'],
  // No templates of RFC 6570: they match nothing.
  ['db://{', 'db://{', 'uriTemplate'],
  ['db://{}', 'db://', 'uriTemplate'],
  ['db://{=x}', 'db://a', 'uriTemplate'],
  ['db://{a b}', 'db://a', 'uriTemplate'],
];

for (const [template, uri, fault] of TEMPLATES) {
  test(`${template} and ${JSON.stringify(uri.slice(0, 60))}: ${fault ?? 'matches'}`, () => {
    assert.equal(uriFault(`template:${template}`, uri, {}), fault);
  });
}

/** How a server may be asked for `db://payroll` in other words. */
const OTHER_WORDS = [
  'db://payroll',
  'DB://payroll',
  'db://PAYROLL',
  'db://p%61yroll',
  'db://payroll/',
  'db://payroll?',
  'db://payroll??',
  'db://payroll#x',
  'db://payroll%3F',
  'db://payroll%23x',
  'db://payroll%20',
  'db://u@payroll',
  'db://u:pw@payroll',
  'db://payroll.',
  'db:///payroll',
  'db:////payroll',
];
for (const uri of OTHER_WORDS) {
  test(`${uri} is the resource of another operation`, () => {
    const operations = { 'resource:db://payroll': {}, 'template:{+uri}': {}, 'template:db://{table}': {} };
    assert.equal(uriFault('template:{+uri}', uri, operations), 'resource');
    const own = uri === 'db://payroll' ? ['resource:db://payroll'] : [];
    assert.deepEqual(operationsReading(uri, operations), own);
  });
}

for (const [resource, uri] of [
  ['file:///secret', 'file:////secret'],
  ['https://a.example/x', 'https://a.example//x'],
  ['https://a.example/x', 'https://user:pw@a.example/x'],
  ['https://a.example/x', 'https://a.example./x'],
  ['db://h/a/b', 'db://h//a/b'],
]) {
  test(`${uri} is ${resource} in other words`, () => {
    const operations = { [`resource:${resource}`]: {}, 'template:{+uri}': {} };
    assert.equal(uriFault('template:{+uri}', uri ?? '', operations), 'resource');
  });
}

test('a resource is read by its own operation, else by every template that matches', () => {
  const operations = { 'resource:a://1': {}, 'template:a://{x}': {}, 'template:{+all}': {}, 'prompt:a://2': {} };
  assert.deepEqual(operationsReading('a://1', operations), ['resource:a://1']);
  assert.deepEqual(operationsReading('a://2', operations), ['template:a://{x}', 'template:{+all}']);
  assert.deepEqual(operationsReading('a://../1', operations), []);
  assert.equal(uriFault('resource:a://1', 'a://2', operations), 'const');
});

test('what RFC 6570 expands to is matched, and the MCP SDK expands to the same', () => {
  const values = { x: 'value', y: 'a b', list: ['red', 'green'], path: 'foo/bar' };
  const templates = ['t://{x}', 't://{x}/{y}', 't://{+path}', 't://a{#path}', 't://a{.x}', 't://a{/x}', 't://a{?x}'];
  for (const template of [...templates, 't://a{?x}{&y}', 't://a{?list}', 't://{list}']) {
    const uri = new UriTemplate(template).expand(values);
    assert.equal(uriFault(`template:${template}`, uri, {}), undefined, `${template} and ${uri}`);
  }
});

test('a hostile template or URI costs no more than its length', () => {
  const before = performance.now();
  assert.equal(uriFault(`template:a:${'{a}'.repeat(160)}!`, `a:${'a'.repeat(2000)}`, {}), 'uriTemplate');
  assert.equal(uriFault(`template:a:${'{+a}'.repeat(120)}!`, `a:${'/a'.repeat(1000)}`, {}), 'uriTemplate');
  assert.equal(uriFault(`template:${'{?a*}'.repeat(100)}!`, '?a=1&'.repeat(400), {}), 'uriTemplate');
  assert.equal(uriFault(`template:a:${'{a:999}'.repeat(70)}`, `a:${'a'.repeat(2000)}`, {}), 'uriTemplate');
  assert.equal(uriFault('template:a:{+a}', `a:${'/'.repeat(8000)}`, {}), undefined);
  assert.ok(performance.now() - before < 5000);
});
