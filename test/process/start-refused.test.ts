import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { VERSION } from '../../libs/kernel/version.js';
import { selfSigned } from '../demo/certificate.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { ended, jsonLines, listening, place, until, type Program } from './child.js';
import { test } from '../support/testing.js';

/**
 * A start that cannot succeed ends with exit code 1, and touches nothing. Standard error has one line with the reason,
 * and standard output the same in JSON.
 */

async function refusedWith(program: Program, reason: RegExp): Promise<void> {
  assert.deepEqual(await ended(program), { code: 1, signal: null }, program.stderr());
  assert.match(program.stderr(), /^sallyport: [^\n]+\n$/);
  assert.match(program.stderr(), reason);
  const [line, ...more] = jsonLines(program);
  assert.deepEqual(more, []);
  assert.deepEqual([line?.level, line?.service, line?.version], ['fatal', 'sallyport', VERSION]);
  assert.equal(`sallyport: ${line?.msg}\n`, program.stderr());
}

const SETTINGS: readonly [what: string, env: Record<string, string>, reason: RegExp][] = [
  ['an unknown setting', { SALLYPORT_LEASE: '5000' }, /SALLYPORT_LEASE is not a setting/],
  ['a lease that is no number', { SALLYPORT_LEASE_MS: '5s' }, /SALLYPORT_LEASE_MS: expected a whole number/],
  ['a lease that is too long', { SALLYPORT_LEASE_MS: '600000' }, /SALLYPORT_LEASE_MS: expected a number from 100 to/],
  ['an address without a port', { SALLYPORT_HTTP: '127.0.0.1' }, /SALLYPORT_HTTP: expected host:port/],
  ['an empty data folder', { SALLYPORT_DATA: '' }, /SALLYPORT_DATA: /],
  ['an event log of another kind', { SALLYPORT_EVENT_LOG: 'postgres://db' }, /SALLYPORT_EVENT_LOG: expected sqlite:/],
  ['every address without TLS', { SALLYPORT_HTTP: '0.0.0.0:0' }, /SALLYPORT_HTTP: .*SALLYPORT_TLS_CERT/],
  ['a name that is not this machine', { SALLYPORT_HTTP: 'pdp.example:0' }, /SALLYPORT_HTTP: .*SALLYPORT_TLS_CERT/],
  ['brokers without a port', { SALLYPORT_KAFKA_BROKERS: 'kafka' }, /SALLYPORT_KAFKA_BROKERS: expected host:port/],
  [
    'a password for brokers in plain text over the network',
    {
      SALLYPORT_KAFKA_BROKERS: 'kafka.example:9092',
      SALLYPORT_KAFKA_SASL: 'plain',
      SALLYPORT_KAFKA_USER: 'relay',
      SALLYPORT_KAFKA_PASSWORD: 'hunter2',
    },
    /^(?!.*hunter2)sallyport: SALLYPORT_KAFKA_SASL: plain needs SALLYPORT_KAFKA_TLS/,
  ],
  [
    'two wrong settings',
    { SALLYPORT_LEASE: '5000', SALLYPORT_HTTP: '127.0.0.1' },
    /SALLYPORT_LEASE is not a setting.*; SALLYPORT_HTTP: expected host:port/,
  ],
  ['a certificate without its key', { SALLYPORT_TLS_CERT: 'cert.pem' }, /SALLYPORT_TLS_CERT and SALLYPORT_TLS_KEY/],
];
for (const [what, env, reason] of SETTINGS) {
  test(`a start with ${what} ends in one line`, async (t) => {
    const { dataDir, launch } = place(t);
    await refusedWith(launch({ env }), reason);
    assert.deepEqual(readdirSync(dataDir), []);
  });
}

test('a port that is taken ends in one line, and the data are there for the next start', async (t) => {
  const { launch, start } = place(t);
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  t.after(() => new Promise((resolve) => taken.close(resolve)));
  const { port } = taken.address() as AddressInfo;
  const program = launch({ env: { SALLYPORT_HTTP: `127.0.0.1:${port}` } });
  await refusedWith(program, new RegExp(`address already in use.*${port}`));
  await readyWorld(await start());
});

test('a second process on the same data ends in one line, and the first goes on', async (t) => {
  const { launch, start } = place(t);
  const first = await start();
  await readyWorld(first);
  await refusedWith(launch(), /another process is using .*sallyport\.db/);
  const task = await openTask(first);
  const answer = await first.call('host', 'POST', '/v1/calls/authorize', callBody(task));
  assert.equal(expecting(200, answer).decision, 'allow');
});

test('a data folder that is a file ends in one line', async (t) => {
  const { dataDir, launch } = place(t);
  const file = join(dataDir, 'file');
  writeFileSync(file, '');
  await refusedWith(launch({ env: { SALLYPORT_DATA: file } }), /file/);
});

/** Each with a part of its reason. `/proc` takes no folder; once, the start tried for ever. */
const PLACES: readonly [what: string, settings: (folder: string) => Record<string, string>, reason: RegExp][] = [
  [
    'a data folder without its parent',
    (folder) => ({ SALLYPORT_DATA: join(folder, 'volume', 'data') }),
    /volume mounted/,
  ],
  [
    'an event log without its folder',
    (folder) => ({ SALLYPORT_EVENT_LOG: `sqlite:${join(folder, 'volume', 'log.db')}` }),
    /volume mounted/,
  ],
  [
    'a data folder that would be in /proc',
    () => ({ SALLYPORT_DATA: '/proc/sallyport' }),
    /SALLYPORT_DATA: .*cannot be made/,
  ],
  ['a data folder of /proc', () => ({ SALLYPORT_DATA: '/proc/self' }), /cannot be synced/],
  ['an event log in /proc', () => ({ SALLYPORT_EVENT_LOG: 'sqlite:/proc/self/log.db' }), /cannot be synced/],
  ['a data folder below a device', () => ({ SALLYPORT_DATA: '/dev/null/data' }), /SALLYPORT_DATA: .*cannot be made/],
  ['an event log that is a device', () => ({ SALLYPORT_EVENT_LOG: 'sqlite:/dev/full' }), /is not a file/],
];
for (const [what, settings, reason] of PLACES) {
  const skip = existsSync('/proc/self/stat') ? false : 'there is no /proc';
  test(`${what} ends in one line, and nothing is made`, { skip }, async (t) => {
    const { dataDir, launch } = place(t);
    await refusedWith(launch({ env: settings(dataDir) }), reason);
    assert.deepEqual(readdirSync(dataDir), []);
  });
}

test('the data folder itself is made if its parent is there, for its owner alone', async (t) => {
  const { dataDir, launch } = place(t);
  const folder = join(dataDir, 'data');
  const program = launch({ env: { SALLYPORT_DATA: folder } });
  await listening(program);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
});

test('tokens of another log end in one line, and are not replaced', async (t) => {
  const { dataDir, launch } = place(t);
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(join(dataDir, 'tokens.json'), '{}');
  await refusedWith(launch(), /tokens\.json belongs to another event log/);
});

test('with a certificate it speaks TLS and nothing else', async (t) => {
  const { dataDir, launch } = place(t);
  const { key, cert } = selfSigned();
  const [certFile, keyFile] = [join(dataDir, 'cert.pem'), join(dataDir, 'key.pem')];
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key, { mode: 0o600 });
  const program = launch({ env: { SALLYPORT_TLS_CERT: certFile, SALLYPORT_TLS_KEY: keyFile } });
  const url = await listening(program);
  assert.match(url, /^https:/);
  const status = (ca?: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      get(`${url}/health/ready`, { ca, agent: false }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode));
      }).once('error', reject);
    });
  await until(program, async () => ((await status(cert)) === 200 ? true : undefined));
  await assert.rejects(status(), /self-signed/);
  await assert.rejects(fetch(`${url.replace('https:', 'http:')}/health/live`));
  program.kill('SIGTERM');
  assert.deepEqual(await ended(program), { code: 0, signal: null });
});

test('a certificate that cannot be read ends in one line', async (t) => {
  const { dataDir, launch } = place(t);
  const missing = join(dataDir, 'none.pem');
  const program = launch({ env: { SALLYPORT_TLS_CERT: missing, SALLYPORT_TLS_KEY: missing } });
  await refusedWith(program, /SALLYPORT_TLS_CERT: .*none\.pem cannot be read: ENOENT/);
});

test('a certificate that is none, or another key, ends in one line', async (t) => {
  const { dataDir, launch } = place(t);
  const [cert, key, none] = ['cert.pem', 'key.pem', 'none.pem'].map((name) => join(dataDir, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(cert, selfSigned().cert);
  writeFileSync(key, selfSigned().key);
  writeFileSync(none, 'not a certificate');
  for (const [certFile, keyFile, reason] of [
    [none, key, /SALLYPORT_TLS_CERT: expected a certificate/],
    [cert, none, /SALLYPORT_TLS_KEY: expected a private key/],
    [cert, key, /SALLYPORT_TLS_KEY is not the key of the first certificate/],
  ] as const) {
    const program = launch({ env: { SALLYPORT_TLS_CERT: certFile, SALLYPORT_TLS_KEY: keyFile } });
    await refusedWith(program, reason);
  }
});
