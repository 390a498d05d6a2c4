import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import type { EventLog } from '../../libs/event-log/port.js';
import { LogOverloaded, LogUnavailable } from '../../libs/event-log/port.js';
import { refused } from '../support/problems.js';
import { startService, type Answer, type Answered, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, proposal, readyWorld, registration, taskBody } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** The outcome of an append while a fault is on. */
let fault: (() => Promise<never>) | undefined;
const faulty = (log: EventLog): EventLog => ({
  append: (batch) => fault?.() ?? log.append(batch),
  head: (stream) => log.head(stream),
  read: (stream, after, limit) => log.read(stream, after, limit),
  readAll: (options) => log.readAll(options),
  last: (count) => log.last(count),
  end: () => log.end(),
  subscribe: (options, subscriber) => log.subscribe(options, subscriber),
  payload: (stream, revision) => log.payload(stream, revision),
  payloads: (places) => log.payloads(places),
  blob: (digest) => log.blob(digest),
  close: () => log.close(),
});

let service: TestService;
before(async () => {
  service = await startService({ wrapLog: faulty });
  await readyWorld(service);
});
after(() => service.stop());

/** Checks that an answer reveals nothing of how the service is made, where it lives, or what was sent. */
function tellsNothing(answer: Answer, ...secrets: string[]): void {
  const body = JSON.stringify(answer.body);
  const text = body + JSON.stringify([...answer.headers]);
  const leaks = [
    /\bat .+:\d+:\d+/,
    /node_modules|\.[jt]s\b/,
    /SQLITE|\bSELECT\b|\bINSERT\b/i,
    /\/tmp\/|\/home\//,
    /Error:/,
  ];
  for (const leak of leaks) assert.doesNotMatch(body, leak);
  for (const secret of [service.dataDir, ...Object.values(service.tokens), ...secrets]) {
    assert.ok(!text.includes(secret), `it tells ${secret.slice(0, 12)}…`);
  }
}

const SECRET = 'sallyport_hunter2hunter2';

/** Requests that fail in every way, each with a secret that must not come back. */
const FAILING: Record<string, [status: number, code: string, ask: () => Promise<Answer>]> = {
  'no such path': [404, 'not_found', () => service.call('host', 'GET', `/v1/${SECRET}`)],
  'no such path, without a token': [404, 'not_found', () => service.call('nobody', 'GET', '/v2/tasks')],
  'a method that the path does not have': [
    405,
    'method_not_allowed',
    () => service.call('admin', 'PUT', '/v1/principals', {}),
  ],
  'a path that cannot be decoded': [400, 'malformed_request', () => service.call('host', 'GET', '/v1/tasks/%zz')],
  'a parameter that is too long': [
    400,
    'malformed_request',
    () => service.call('host', 'GET', `/v1/capabilities/${'x'.repeat(1000)}`),
  ],
  'malformed JSON': [400, 'malformed_request', () => service.call('host', 'POST', '/v1/tasks', `{"agent": "${SECRET}`)],
  'a duplicate key': [
    400,
    'malformed_request',
    () => service.call('host', 'POST', '/v1/tasks', `{"${SECRET}":1,"${SECRET}":2}`),
  ],
  'a value of the wrong kind': [
    400,
    'malformed_request',
    () => service.call('host', 'POST', '/v1/tasks', taskBody({ ttlMs: SECRET })),
  ],
  'an unknown field': [
    400,
    'malformed_request',
    () => service.call('host', 'POST', '/v1/tasks', taskBody({ [SECRET]: SECRET })),
  ],
  'an unknown enum value': [
    400,
    'malformed_request',
    () => service.call('operator', 'POST', '/v1/directives', { target: { type: SECRET }, reason: 'x' }),
  ],
  'a policy that does not parse': [
    400,
    'malformed_request',
    () => service.call('registrar', 'POST', '/v1/policies/default', { cedar: `permit("${SECRET}`, reason: 'x' }),
  ],
  'a schema that is refused': [
    400,
    'malformed_request',
    () =>
      service.call(
        'registrar',
        'POST',
        '/v1/capabilities',
        registration(
          'refused',
          proposal('1.0.0', {
            definition: { prompts: [{ name: 'p' }] },
            manifest: {
              ...proposal().manifest,
              operations: { 'prompt:p': { effects: ['read'], argumentsSchema: { pattern: `(?=${SECRET})` } } },
            },
          }),
        ),
      ),
  ],
  'a wrong token': [401, 'unauthenticated', () => service.call({ token: SECRET }, 'GET', '/v1/directives')],
  'a wrong role': [403, 'forbidden', () => service.call('host', 'POST', '/v1/directives', { reason: SECRET })],
  'a task that is not there': [404, 'not_found', () => service.call('host', 'GET', `/v1/tasks/${randomUUID()}`)],
  'a name that is taken': [
    409,
    'already_exists',
    () => service.call('registrar', 'POST', '/v1/capabilities', { ...registration(), owner: SECRET }),
  ],
  'a body that is too large': [
    413,
    'too_large',
    () => service.call('host', 'POST', '/v1/tasks', `${SECRET}${' '.repeat(9_000_000)}`),
  ],
  'another media type': [
    415,
    'unsupported_media_type',
    () => service.call('host', 'POST', '/v1/tasks', SECRET, { 'content-type': `text/${SECRET}` }),
  ],
};

for (const [name, [status, code, ask]] of Object.entries(FAILING)) {
  test(`${name} is a problem document of its own, and tells nothing`, async () => {
    const answer = await ask();
    refused(status, code, answer);
    tellsNothing(answer, SECRET);
  });
}

test('errors point at what is wrong, without saying what it was', async () => {
  const user = { id: 'a', roles: [1] };
  const body = taskBody({ user, scope: [{ capability: 'UPPER', effects: ['eat'] }] });
  const { errors } = refused(400, 'malformed_request', await service.call('host', 'POST', '/v1/tasks', body));
  assert.deepEqual(
    errors.map(({ path }: Answered) => path),
    ['/user/roles/0', '/scope/0/capability', '/scope/0/effects/0'],
  );
});

test('however much is wrong, the answer stays small', async () => {
  const scope = Array.from({ length: 5000 }, () => ({ capability: 1 }));
  const answer = await service.call('host', 'POST', '/v1/tasks', taskBody({ scope }));
  refused(400, 'malformed_request', answer);
  assert.ok(JSON.stringify(answer.body).length < 10_000);
});

test('a request that is no HTTP gets no stack', async () => {
  const { port, hostname } = new URL(service.url);
  const text = await new Promise<string>((resolve, reject) => {
    let heard = '';
    const socket = connect(Number(port), hostname, () => socket.end('NONSENSE\r\n\r\n'));
    socket.on('data', (chunk) => (heard += String(chunk)));
    socket.on('close', () => resolve(heard));
    socket.on('error', reject);
  });
  assert.match(text, /^HTTP\/1\.1 400 [^]*application\/problem\+json/);
  assert.doesNotMatch(text, /\bat .+:\d+|node_modules/);
});

/** Commands and calls that need a record. Without the log, none of them gets an answer. */
const recording = async (): Promise<Answer[]> => {
  const task = await openTask(service);
  const allowed = callBody(task);
  expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', allowed));
  return withFault(async () =>
    Promise.all([
      service.call('host', 'POST', '/v1/calls/authorize', callBody(task)),
      service.call('host', 'POST', '/v1/calls/authorize', callBody(task, { operation: 'forget' })),
      service.call('host', 'POST', '/v1/calls/authorize', callBody(task, { taskId: randomUUID() })),
      service.call('host', 'POST', '/v1/calls/authorize', allowed),
      service.call('host', 'POST', '/v1/tasks', taskBody()),
      service.call('operator', 'POST', '/v1/directives', { target: { type: 'all' }, reason: 'x' }),
      service.call('registrar', 'POST', '/v1/capabilities', registration('unrecorded')),
      service.call('admin', 'POST', '/v1/principals', { name: 'unrecorded', roles: ['host'] }),
    ]),
  );
};

async function withFault(ask: () => Promise<Answer[]>): Promise<Answer[]> {
  fault = failing;
  try {
    return await ask();
  } finally {
    fault = undefined;
  }
}
let failing: () => Promise<never>;

for (const [name, error, status, code] of [
  ['cannot record', new LogUnavailable(`disk I/O error at ${SECRET}`), 503, 'log_unavailable'],
  ['breaks in a way that nobody foresaw', new TypeError(`SELECT ${SECRET}`), 503, 'log_unavailable'],
  ['has a full queue', new LogOverloaded('too many appends wait'), 429, 'overloaded'],
] as const) {
  test(`while the log ${name} there is no decision and no answer but a ${status}`, async () => {
    failing = () => Promise.reject(error);
    for (const answer of await recording()) {
      refused(status, code, answer);
      tellsNothing(answer, SECRET);
    }
    const task = await openTask(service);
    const again = await service.call('host', 'POST', '/v1/calls/authorize', callBody(task));
    assert.equal(expecting(200, again).decision, 'allow');
  });
}

test('the service is not ready while its log cannot record, and lives on', async () => {
  failing = () => Promise.reject(new LogUnavailable(SECRET));
  const [ready, live] = await withFault(() =>
    Promise.all(['/health/ready', '/health/live'].map((path) => service.call('nobody', 'GET', path))),
  );
  assert.deepEqual([ready?.status, ready?.body.reason, live?.status], [503, 'log_unavailable', 200]);
  assert.equal((await service.call('nobody', 'GET', '/health/ready')).status, 200);
});
