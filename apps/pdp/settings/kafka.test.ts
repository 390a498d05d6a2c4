import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from '../../../test/support/testing.js';
import { selfSigned } from '../../../test/demo/certificate.js';
import { readSettings, SettingsError, type Settings } from '../settings.js';

/** Connections to brokers. No output may contain the passwords here. */

const SECRET = 'hunter2-and-more';
const folder = mkdtempSync(join(tmpdir(), 'sallyport-kafka-settings-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

const kafka = (env: Record<string, string>): Settings['kafka'] =>
  readSettings(Object.fromEntries(Object.entries(env).map(([name, value]) => [`SALLYPORT_KAFKA_${name}`, value])))
    .kafka;

function wrong(env: Record<string, string>): string {
  try {
    kafka(env);
  } catch (error) {
    assert.ok(error instanceof SettingsError);
    assert.doesNotMatch(error.message, /\n/);
    assert.ok(!error.message.includes(SECRET), 'a secret in an error');
    return error.message;
  }
  assert.fail(`taken: ${Object.keys(env).join()}`);
}

const LOCAL = { BROKERS: '127.0.0.1:9092' };
const REMOTE = { BROKERS: 'k1.example:9092, k2.example:9093' };
const SIGN_IN = { SASL: 'plain', USER: 'relay', PASSWORD: SECRET };

/** The values; the connection is a view of them that follows a reload. */
const valuesOf = (settings: Settings['kafka']) => {
  assert.ok(settings !== undefined);
  const { connection, partitions, replication } = settings;
  return { connection: { ...connection }, partitions, replication };
};

test('brokers alone: plain, one replica, three partitions', () => {
  assert.deepEqual(valuesOf(kafka(LOCAL)), {
    connection: { brokers: ['127.0.0.1:9092'], clientId: 'sallyport', tls: undefined, sasl: undefined },
    partitions: 3,
    replication: 1,
  });
});

test('all of it', () => {
  const { cert } = selfSigned();
  const given = kafka({
    ...REMOTE,
    ...SIGN_IN,
    SASL: 'scram-sha-512',
    TLS: file('ca.pem', cert),
    CLIENT_ID: 'pdp-1',
    PARTITIONS: '12',
    REPLICATION: '3',
  });
  assert.deepEqual(valuesOf(given), {
    connection: {
      brokers: ['k1.example:9092', 'k2.example:9093'],
      clientId: 'pdp-1',
      tls: { ca: cert },
      sasl: { mechanism: 'scram-sha-512', username: 'relay', password: SECRET },
    },
    partitions: 12,
    replication: 3,
  });
});

test('a new password in the file is used after a reload; a file that is gone changes nothing', () => {
  const path = file('rotated', `${SECRET}\n`);
  const settings = kafka({ ...LOCAL, SASL: 'plain', USER: 'relay', PASSWORD_FILE: path });
  assert.deepEqual([settings?.files, settings?.reload()], [[path], false]);
  file('rotated', 'a new one\n');
  assert.equal(settings?.connection.sasl?.password, SECRET);
  assert.equal(settings.reload(), true);
  assert.equal(settings.connection.sasl?.password, 'a new one');
  rmSync(path);
  assert.throws(() => settings.reload(), SettingsError);
  assert.equal(settings.connection.sasl?.password, 'a new one');
});

test('TLS with the authorities of the system', () => {
  assert.deepEqual(kafka({ ...REMOTE, TLS: 'on' })?.connection.tls, {});
});

test('the password may stand in a file, in its first line', () => {
  const { SASL, USER } = SIGN_IN;
  const given = kafka({ ...LOCAL, SASL, USER, PASSWORD_FILE: file('password', `${SECRET}\n`) });
  assert.equal(given?.connection.sasl?.password, SECRET);
});

test('what does not fit together stops the start with one line, and never shows the password', () => {
  assert.match(wrong(SIGN_IN), /need SALLYPORT_KAFKA_BROKERS/);
  assert.match(wrong({ TLS: 'on' }), /need SALLYPORT_KAFKA_BROKERS/);
  assert.match(wrong({ BROKERS: '[::1]:9092' }), /^SALLYPORT_KAFKA_BROKERS/);
  assert.match(wrong({ BROKERS: '127.0.0.1:0' }), /^SALLYPORT_KAFKA_BROKERS: expected ports from 1 to 65535$/);
  assert.match(wrong({ BROKERS: 'k1.example:9092,k2.example:65536' }), /^SALLYPORT_KAFKA_BROKERS: expected ports/);
  assert.ok(kafka({ BROKERS: '127.0.0.1:1,127.0.0.1:65535' }));
  assert.match(wrong({ ...LOCAL, SASL: 'plain' }), /^SALLYPORT_KAFKA_SASL needs/);
  assert.match(wrong({ ...LOCAL, SASL: 'plain', USER: 'relay' }), /^SALLYPORT_KAFKA_SASL needs/);
  assert.match(wrong({ ...LOCAL, PASSWORD: SECRET }), /^SALLYPORT_KAFKA_SASL needs/);
  assert.match(wrong({ ...LOCAL, ...SIGN_IN, PASSWORD_FILE: file('p', SECRET) }), /exclude each other/);
  assert.match(wrong({ ...LOCAL, SASL: 'plain', USER: 'relay', PASSWORD_FILE: file('empty', '\n') }), /needs/);
  assert.match(wrong({ ...LOCAL, TLS: join(folder, 'none.pem') }), /^SALLYPORT_KAFKA_TLS: .*ENOENT/);
  assert.match(wrong({ ...LOCAL, TLS: file('no.pem', SECRET) }), /^SALLYPORT_KAFKA_TLS: expected on, or a PEM file/);
});

test('a password in plain goes to other machines over TLS alone', () => {
  assert.match(wrong({ ...REMOTE, ...SIGN_IN }), /plain needs SALLYPORT_KAFKA_TLS/);
  assert.ok(kafka({ ...REMOTE, ...SIGN_IN, TLS: 'on' }));
  assert.ok(kafka({ ...REMOTE, ...SIGN_IN, SASL: 'scram-sha-256' }));
  assert.ok(kafka({ ...LOCAL, ...SIGN_IN }));
});
