import assert from 'node:assert/strict';
import { newCapability, scopeOf } from '../support/actors.js';
import { decide } from '../support/calls.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, expecting, openTask, proposal } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** The arguments of a call name the same thing as its operation, which every check has looked at. */

const OPERATIONS = [
  'resource:db://public',
  'resource:db://payroll',
  'template:db://{table}',
  'template:{+anything}',
  'prompt:greet',
  'prompt:plain',
  'script:bin/safe',
];
const DEFINITION = {
  resources: [
    { uri: 'db://public', name: 'public' },
    { uri: 'db://payroll', name: 'payroll' },
  ],
  resourceTemplates: [
    { uriTemplate: 'db://{table}', name: 'table' },
    { uriTemplate: '{+anything}', name: 'anything' },
  ],
  prompts: [{ name: 'greet', arguments: [{ name: 'name' }] }, { name: 'plain' }],
  files: [{ path: 'bin/safe', digest: `sha256:${'a'.repeat(64)}`, size: 1 }],
};
const version = proposal('1.0.0', {
  definition: DEFINITION,
  manifest: {
    ...proposal().manifest,
    operations: Object.fromEntries(OPERATIONS.map((operation) => [operation, { effects: ['read'] }])),
  },
});

let service: TestService;
let task: Answered;
before(async () => {
  service = await startService();
  await activatePolicy(service);
  task = await openTask(service, { scope: scopeOf(await newCapability(service, version)) });
});
after(() => service.stop());

const asked = (operation: string, args: Answered) => decide(service, task, { operation, arguments: args });

/** operation | arguments that name the same thing */
const SAME: readonly [string, Answered][] = [
  ['resource:db://public', { uri: 'db://public' }],
  ['template:db://{table}', { uri: 'db://orders' }],
  ['template:{+anything}', { uri: 'db://orders/2026?page=2' }],
  ['prompt:greet', { name: 'Ada' }],
  ['prompt:plain', { name: 'plain' }],
  ['prompt:plain', { title: 'payroll' }],
  ['script:bin/safe', { path: 'bin/safe' }],
  ['script:bin/safe', { file: 'bin/other' }],
];
for (const [operation, args] of SAME) {
  test(`${operation} is allowed with ${JSON.stringify(args)}`, async () => {
    const { decision, outbound } = await asked(operation, args);
    assert.deepEqual([decision, outbound?.arguments], ['allow', args]);
  });
}

/** operation | arguments that name another thing | where and how */
const OTHER: readonly [string, Answered, string, string][] = [
  ['resource:db://public', { uri: 'db://payroll' }, '/uri', 'const'],
  ['resource:db://public', {}, '/uri', 'required'],
  ['template:db://{table}', { uri: 'db://payroll' }, '/uri', 'resource'],
  ['template:{+anything}', { uri: 'DB://payroll' }, '/uri', 'resource'],
  ['template:db://{table}', { uri: 'db://p%61yroll' }, '/uri', 'resource'],
  ['template:{+anything}', { uri: 'db://payroll' }, '/uri', 'resource'],
  ['template:{+anything}', { uri: 'db://payroll#top' }, '/uri', 'resource'],
  ['template:{+anything}', { uri: 'db://x/../payroll' }, '/uri', 'dotSegment'],
  ['template:{+anything}', { uri: 'db://x\\payroll' }, '/uri', 'separator'],
  ['template:db://{table}', { uri: 'db://x%2f..%2fpayroll' }, '/uri', 'separator'],
  ['template:db://{table}', { uri: 'db://orders%0d' }, '/uri', 'control'],
  ['template:db://{table}', { uri: 'file:///etc/passwd' }, '/uri', 'uriTemplate'],
  ['template:db://{table}', { uri: 7 }, '/uri', 'type'],
  ['prompt:plain', { name: 'greet' }, '/name', 'const'],
  ['script:bin/safe', { path: 'bin/other' }, '/path', 'const'],
  ['script:bin/safe', { path: ['bin/safe'] }, '/path', 'const'],
];
for (const [operation, args, path, keyword] of OTHER) {
  test(`${operation} is denied with ${JSON.stringify(args)}`, async () => {
    const { decision, reason, checks, outbound } = await asked(operation, args);
    assert.deepEqual([decision, reason, outbound], ['deny', 'arguments_invalid', undefined]);
    // The place and the rule, and nothing of the value.
    assert.deepEqual(checks.at(-1), { check: 'arguments', outcome: 'fail', evidence: { errors: [{ path, keyword }] } });
  });
}

test('a deny for what the arguments name is decided the same again, from the record', async () => {
  await asked('resource:db://public', { uri: 'db://payroll' });
  const trace = `/v1/audit/traces/${task.traceId}/replay`;
  const { identical, calls } = expecting(200, await service.call('auditor', 'GET', trace));
  assert.equal(identical, true, JSON.stringify(calls));
});

test('arguments that the filter changed must not name another thing', async () => {
  const labels = [{ path: '/uri', level: 'restricted' }];
  const operation = 'resource:db://public';
  const removed = await decide(service, task, { operation, arguments: { uri: 'db://public' }, labels });
  assert.deepEqual([removed.decision, removed.reason], ['deny', 'context_above_sensitivity']);
  assert.deepEqual(removed.checks.at(-1).evidence, { path: '/arguments/uri', type: 'above_sensitivity' });
  const uri = 'db://AKIAIOSFODNN7EXAMPLQ';
  const redacted = await decide(service, task, { operation: 'template:db://{table}', arguments: { uri } });
  assert.deepEqual([redacted.decision, redacted.reason], ['deny', 'context_above_sensitivity']);
  assert.match(redacted.checks.at(-1).evidence.type, /^secret:/);
});
