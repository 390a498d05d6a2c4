import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { readSettings, SETTINGS, SettingsError, settingsTable } from './settings.js';
import { test } from '../../test/support/testing.js';

/** The one line with which a wrong setting stops the start. */
function wrong(environment: Record<string, string>): string {
  try {
    readSettings(environment);
  } catch (error) {
    assert.ok(error instanceof SettingsError);
    assert.doesNotMatch(error.message, /\n/);
    return error.message;
  }
  assert.fail(`taken: ${JSON.stringify(environment)}`);
}

test('without any setting there is a default for each', () => {
  const settings = readSettings({ PATH: '/bin' });
  assert.deepEqual(settings, {
    dataDir: resolve('data'),
    logFile: resolve('data/sallyport.db'),
    http: { host: '127.0.0.1', port: 7070 },
    grpc: { host: '127.0.0.1', port: 7071 },
    metrics: { host: '127.0.0.1', port: 7072, isDefault: true },
    publicUrl: undefined,
    tls: undefined,
    leaseMs: 5000,
    skewMs: 500,
    ackProof: 'optional',
    approvalMs: 600_000,
    flow: { contextLevel: 'confidential', mode: 'detect' },
    quarantine: 'quote',
    responseMs: 3_600_000,
    retainDays: undefined,
    logLevel: 'info',
    logOrigin: undefined,
    logPublic: false,
    witnessDir: undefined,
    kafka: undefined,
    siem: { kafka: true, file: undefined, otlp: undefined },
    limits: {
      bodyBytes: 1_048_576,
      definitionBytes: 4_194_304,
      responseBytes: 8_388_608,
      argumentsBytes: 262_144,
      bodyValues: 20_000,
      definitionValues: 20_000,
      responseValues: 50_000,
      argumentsValues: 10_000,
      contextItems: 256,
      scopeEntries: 200,
      jsonDepth: 64,
      hostRequestsPerS: 0,
      hostBytesPerHour: 0,
    },
    bounds: {
      callsInFlight: 1024,
      callWaitMs: 1000,
      auditQueries: 8,
      bodiesBytes: 134_217_728,
      connections: 4096,
      clientMs: 30_000,
      grpcCalls: 512,
      watches: 2048,
      validationMs: 5000,
      validationThreads: 2,
    },
  });
});

test('an unknown setting stops the start with one line that names it', () => {
  assert.match(wrong({ SALLYPORT_LEASE: '1000' }), /^SALLYPORT_LEASE is not a setting/);
  assert.match(wrong({ SALLYPORT_: 'x' }), /^SALLYPORT_ is not a setting/);
  assert.match(wrong({ SALLYPORT_toString: 'x' }), /SALLYPORT_toString/);
});

test('what others read is passed over', () => {
  readSettings({ SALLYPORT_URL: 'x', SALLYPORT_TOKEN: 'y', SALLYPORT_TOKEN_FILE: 'z', SALLYPORT_TEST_SEED: '1' });
});

const WRONG: readonly [keyof typeof SETTINGS, readonly string[]][] = [
  ['SALLYPORT_DATA', ['']],
  ['SALLYPORT_PUBLIC_URL', ['', 'sallyport', '/pdp', 'ftp://x', 'https://a:b@x', 'https://x/?a=b', 'https://x/#a']],
  ['SALLYPORT_EVENT_LOG', ['', 'sqlite:', 'postgres://x', '/a/file']],
  ['SALLYPORT_HTTP', ['', '7070', 'localhost', '127.0.0.1:', '127.0.0.1:65536', ':7070', 'http://127.0.0.1:7070']],
  ['SALLYPORT_GRPC', ['', '7071', '127.0.0.1:99999']],
  ['SALLYPORT_METRICS', ['', 'on', '7072', '127.0.0.1:99999']],
  ['SALLYPORT_LEASE_MS', ['', '99', '60001', '1e3', '5s', '-1', '1.5', ' 5000']],
  ['SALLYPORT_BODY_BYTES', ['0', '1023', '16777217', '1MiB']],
  ['SALLYPORT_DEFINITION_BYTES', ['0']],
  ['SALLYPORT_RESPONSE_BYTES', ['0']],
  ['SALLYPORT_ARGUMENTS_BYTES', ['0']],
  ['SALLYPORT_CONTEXT_ITEMS', ['-1', '10001']],
  ['SALLYPORT_SCOPE_ENTRIES', ['0', '10001']],
  ['SALLYPORT_BODY_VALUES', ['99', 'many']],
  ['SALLYPORT_DEFINITION_VALUES', ['99']],
  ['SALLYPORT_RESPONSE_VALUES', ['99']],
  ['SALLYPORT_ARGUMENTS_VALUES', ['99']],
  ['SALLYPORT_JSON_DEPTH', ['7', '257']],
  ['SALLYPORT_RETAIN_PAYLOADS', ['0', '-1', '1.5', '36501']],
  ['SALLYPORT_RESPONSE_MS', ['999', '86400001']],
  ['SALLYPORT_VALIDATION_MS', ['99']],
  ['SALLYPORT_VALIDATION_THREADS', ['1', '65']],
  ['SALLYPORT_HOST_REQUESTS_PER_S', ['-1', 'many']],
  ['SALLYPORT_HOST_BYTES_PER_HOUR', ['-1', '9007199254740992']],
  ['SALLYPORT_CALLS_IN_FLIGHT', ['0', 'many']],
  ['SALLYPORT_CALL_WAIT_MS', ['9', '60001']],
  ['SALLYPORT_AUDIT_QUERIES', ['0', '1001']],
  ['SALLYPORT_BODIES_BYTES', ['1048575']],
  ['SALLYPORT_CONNECTIONS', ['7']],
  ['SALLYPORT_CLIENT_MS', ['499', '30s']],
  ['SALLYPORT_GRPC_CALLS', ['3']],
  ['SALLYPORT_SKEW_MS', ['-1', '10001']],
  ['SALLYPORT_ACK_PROOF', ['', 'yes', 'Required']],
  ['SALLYPORT_APPROVAL_MS', ['', '-1', 'ten']],
  ['SALLYPORT_CONTEXT_LEVEL', ['', 'secret', 'Public']],
  ['SALLYPORT_FLOW', ['', 'off', 'Strict']],
  ['SALLYPORT_QUARANTINE', ['', 'drop', 'Hold']],
  ['SALLYPORT_WATCHES', ['1']],
  [
    'SALLYPORT_KAFKA_BROKERS',
    ['', 'kafka', 'kafka:9092,', 'kafka:9092;other:9092', 'kafka:', 'PLAINTEXT://kafka:9092'],
  ],
  ['SALLYPORT_KAFKA_TLS', ['']],
  ['SALLYPORT_KAFKA_SASL', ['', 'PLAIN', 'gssapi']],
  ['SALLYPORT_KAFKA_USER', ['']],
  ['SALLYPORT_KAFKA_PASSWORD', ['']],
  ['SALLYPORT_KAFKA_PASSWORD_FILE', ['', '/not/there']],
  ['SALLYPORT_KAFKA_CLIENT_ID', ['', 'a b']],
  ['SALLYPORT_KAFKA_PARTITIONS', ['0', '1001', 'some']],
  ['SALLYPORT_KAFKA_REPLICATION', ['0', '16']],
  ['SALLYPORT_SIEM_KAFKA', ['', 'yes', 'On']],
  ['SALLYPORT_SIEM_FILE', ['']],
  ['SALLYPORT_SIEM_OTLP', ['', 'yes', 'on']],
  ['SALLYPORT_LOG_LEVEL', ['', 'INFO', 'verbose']],
  ['SALLYPORT_LOG_ORIGIN', ['', 'two words', 'a+b', 'a\nb']],
  ['SALLYPORT_LOG_PUBLIC', ['', 'yes', 'ON']],
  ['SALLYPORT_WITNESS_DIR', ['']],
  ['SALLYPORT_TLS_CERT', ['']],
  ['SALLYPORT_TLS_KEY', ['']],
];

for (const [name, values] of WRONG) {
  test(`a wrong ${name} stops the start with one line that names it`, () => {
    for (const value of values) assert.match(wrong({ [name]: value }), new RegExp(`^${name}\\b`), value);
  });
}

test('every setting is tried with a wrong value', () => {
  assert.deepEqual(WRONG.map(([name]) => name).sort(), Object.keys(SETTINGS).sort());
});

test('a line never quotes the value, which may be a secret', () => {
  assert.ok(!wrong({ SALLYPORT_HTTP: 'hunter2' }).includes('hunter2'));
});

test('another address than loopback needs TLS', () => {
  for (const host of ['0.0.0.0', '[::]', '10.0.0.1', 'pdp.example', '127.0.0.1.example', '128.0.0.1']) {
    assert.match(wrong({ SALLYPORT_HTTP: `${host}:7070` }), /SALLYPORT_TLS_CERT and SALLYPORT_TLS_KEY/);
    const tls = { SALLYPORT_TLS_CERT: 'c.pem', SALLYPORT_TLS_KEY: 'k.pem' };
    assert.deepEqual(readSettings({ SALLYPORT_HTTP: `${host}:7070`, ...tls }).tls, { cert: 'c.pem', key: 'k.pem' });
  }
  for (const host of ['127.0.0.1', '127.9.9.9', 'localhost', '[::1]']) {
    assert.equal(readSettings({ SALLYPORT_HTTP: `${host}:0` }).http.port, 0);
  }
});

test('the two TLS settings go together', () => {
  assert.match(wrong({ SALLYPORT_TLS_CERT: 'c.pem' }), /go together/);
  assert.match(wrong({ SALLYPORT_TLS_KEY: 'k.pem' }), /go together/);
});

test('the event log may lie elsewhere than the data', () => {
  assert.equal(readSettings({ SALLYPORT_PUBLIC_URL: 'https://x.example/pdp/' }).publicUrl, 'https://x.example/pdp');
  assert.equal(readSettings({ SALLYPORT_EVENT_LOG: 'sqlite:/var/lib/x.db' }).logFile, '/var/lib/x.db');
  assert.equal(readSettings({ SALLYPORT_DATA: '/srv/data' }).logFile, '/srv/data/sallyport.db');
});

test('the table has a row for each setting, with its default, its reason and its danger', () => {
  const rows = settingsTable().split('\n').slice(2);
  assert.equal(rows.length, Object.keys(SETTINGS).length);
  for (const [index, [name, setting]] of Object.entries(SETTINGS).entries()) {
    const cells = (rows[index] ?? '').split(' | ').map((cell) => cell.replaceAll(/^\| | \|$/g, ''));
    assert.equal(cells.length, 4, name);
    assert.equal(cells[0], `\`${name}\``);
    assert.equal(cells[1], setting.default === undefined ? '–' : `\`${setting.default}\``);
    assert.ok(
      cells.slice(2).every((cell) => cell.length > 3),
      name,
    );
  }
});
