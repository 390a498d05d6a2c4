import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../apps/cli/program.js';
import { unique } from '../support/actors.js';
import { cliAs } from '../support/cli.js';
import { startService, type TestService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';
import { expecting, proposal, registration } from '../support/world.js';

/** The way of a publisher on the command line: keygen, the key's registration and review, sign, register. */

let service: TestService;
before(async () => {
  service = await startService();
});
after(() => service.stop());

const as = (role: 'registrar' | 'reviewer' | 'operator', ...args: string[]) => cliAs(service, role, ...args);

async function local(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await run(args, {
    env: {},
    cwd: service.dataDir,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    readStdin: () => Promise.reject(new Error('nothing is read')),
  });
  return { code, out, err };
}

const fileOf = (name: string): string => join(service.dataDir, name);

for (const algorithm of ['ed25519', 'ecdsa-p256']) {
  test(`a registration that was signed on the command line is verified: ${algorithm}`, async () => {
    const [publisher, id, pem] = [unique('publisher'), unique('cap'), `${unique('key')}.pem`];
    assert.equal((await local('keygen', '--out', pem, '--algorithm', algorithm)).code, 0);
    assert.equal(statSync(fileOf(pem)).mode & 0o777, 0o600);
    const again = await local('keygen', '--out', pem);
    assert.equal(again.code, 2);
    assert.match(again.err, /exists already/);

    assert.equal((await as('registrar', 'publisher', 'register', publisher, '--name', 'Acme')).code, 0);
    const publicKey = pem.replace('.pem', '.pub.pem');
    const notAfter = ['--not-after', '2099-01-01T00:00:00Z'];
    const added = await as('registrar', 'publisher', 'add-key', publisher, publicKey, '--key-id', 'k1', ...notAfter);
    assert.equal(added.code, 0, added.err);
    const approve = ['--approve', '--reason', 'called them'];
    assert.equal((await as('reviewer', 'publisher', 'review-key', publisher, 'k1', ...approve)).code, 0);

    const file = `${id}.json`;
    writeFileSync(fileOf(file), JSON.stringify({ ...registration(id, proposal()), publishers: [publisher] }));
    const signed = await local('sign', file, '--key', pem, '--key-id', 'k1');
    assert.equal(signed.code, 0, signed.err);
    const twice = await local('sign', file, '--key', pem, '--key-id', 'k2');
    assert.match(twice.out, /signed by k2 with 1 other signature kept/);
    assert.equal((await as('registrar', 'register', file)).code, 0);
    const shown = await as('registrar', 'capabilities', id, '1.0.0');
    assert.match(shown.out, new RegExp(`verified \\(${publisher}/k1\\)`));
    const listed = await as('registrar', 'publisher', 'show', publisher);
    assert.match(listed.out, new RegExp(`may sign for ${id}[^]*k1 +active +${algorithm} +until 2099-01-01`));
    const revoked = await as('operator', 'publisher', 'revoke-key', publisher, 'k1', '--reason', 'stolen');
    assert.match(revoked.out, /k1: revoked/);
  });
}

test('signing again after a change leaves out the signatures of before', async () => {
  const [id, pem] = [unique('cap'), `${unique('key')}.pem`];
  await local('keygen', '--out', pem);
  writeFileSync(fileOf(`${id}.json`), JSON.stringify(registration(id)));
  await local('sign', `${id}.json`, '--key', pem, '--key-id', 'k1');
  const changed = JSON.parse(readFileSync(fileOf(`${id}.json`), 'utf8'));
  changed.owner = 'somebody-else';
  writeFileSync(fileOf(`${id}.json`), JSON.stringify(changed));
  const { out } = await local('sign', `${id}.json`, '--key', pem, '--key-id', 'k2');
  assert.doesNotMatch(out, /kept/);
  assert.equal(JSON.parse(readFileSync(fileOf(`${id}.json`), 'utf8')).version.signature.signatures.length, 1);
});

test('who may sign is changed by two people on the command line', async () => {
  const id = unique('cap');
  expecting(201, await service.call('registrar', 'POST', '/v1/capabilities', registration(id)));
  const allow = ['--publisher', 'acme', '--reason', 'they took it over'];
  assert.match((await as('registrar', 'publisher', 'allow', id, ...allow)).out, /proposed acme/);
  const reviewed = await as('reviewer', 'publisher', 'review', id, '--approve', '--reason', 'asked');
  assert.match(reviewed.out, /acme may sign/);
});

test('what is no key, and what is no registration, is refused with its name and nothing of its content', async () => {
  writeFileSync(fileOf('no.pem'), '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n');
  writeFileSync(fileOf('no.json'), '{"version":{}}');
  const refused = await local('sign', 'no.json', '--key', 'no.pem', '--key-id', 'k1');
  assert.equal(refused.code, 2);
  assert.doesNotMatch(refused.err, /c2VjcmV0/);
  await local('keygen', '--out', 'yes.pem');
  const empty = await local('sign', 'no.json', '--key', 'yes.pem', '--key-id', 'k1');
  assert.match(empty.err, /the registration has no/);
  const added = await as('registrar', 'publisher', 'add-key', 'acme', 'yes.pem', '--key-id', 'k1');
  assert.match(added.err, /needs the PEM of one public key/);
});
