import assert from 'node:assert/strict';
import { scopeOf, unique } from '../support/actors.js';
import { decide } from '../support/calls.js';
import { movableClock } from '../support/clock.js';
import { eventsOf } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import {
  addKey,
  bytesOf,
  envelopeOf,
  keyPath,
  newKey,
  newPublisher,
  signatureBy,
  signed,
  statementFor,
  type SigningKey,
} from '../support/signing.js';
import { after, before, describe, test } from '../support/testing.js';
import { activatePolicy, approve, expecting, openTask, proposal, registration } from '../support/world.js';

/** Check 6: each weakness of a signature has its reason, at registration, in a review, and for a task that runs. */

let service: TestService;
const clock = movableClock();
before(async () => {
  service = await startService({ clock });
  await activatePolicy(service);
});
after(() => service.stop());

interface Ground {
  readonly id: string;
  readonly publisher: string;
  readonly key: SigningKey;
}

/** A publisher with one live key, and the id of a capability that it may sign for. */
async function ground(algorithm: SigningKey['algorithm'] = 'ed25519'): Promise<Ground> {
  const publisher = await newPublisher(service);
  const key = newKey(algorithm);
  await addKey(service, publisher, key);
  return { id: unique('cap'), publisher, key };
}

const registerSigned = async ({ id, publisher }: Ground, version: Answered): Promise<Answered> => {
  const body = { ...registration(id, version), publishers: [publisher] };
  return expecting(201, await service.call('registrar', 'POST', '/v1/capabilities', body)).version.signature;
};

const review = (id: string, exceptions: string[] = []) =>
  service.call('reviewer', 'POST', `/v1/capabilities/${id}/versions/1.0.0/review`, {
    verdict: 'approved',
    reason: 'looked at it',
    exceptions,
  });

const shownSignature = async (id: string): Promise<Answered> =>
  expecting(200, await service.call('reviewer', 'GET', `/v1/capabilities/${id}/versions/1.0.0`)).signature;

const inAnHour = () => new Date(clock.wallMs() + 3_600_000).toISOString();

describe('a version is allowed with one good signature', () => {
  for (const algorithm of ['ed25519', 'ecdsa-p256'] as const) {
    test(algorithm, async () => {
      const at = await ground(algorithm);
      const verified = { result: 'verified', publisher: at.publisher, keyId: at.key.keyId };
      assert.deepEqual(await registerSigned(at, signed(at.id, proposal(), at.key)), verified);
      await approve(service, at.id, '1.0.0', []);
      const task = await openTask(service, { scope: scopeOf(at.id) });
      const { decision, checks, targets } = await decide(service, task, { explain: true });
      assert.equal(decision, 'allow');
      assert.deepEqual(checks.find(({ check }: Answered) => check === 'signature').evidence, verified);
      assert.ok(targets.includes(`publisher-key:${at.publisher}/${at.key.keyId}`));
    });
  }

  test('also beside signatures of keys that nobody knows, without a key id, with the supply chain', async () => {
    const at = await ground();
    const version = proposal('1.0.0', { supplyChain: { repository: 'https://git.example/memory' } });
    const payload = bytesOf(statementFor(at.id, version));
    const signatures = [
      { keyid: 'somebody', sig: signatureBy(newKey(), payload) },
      { sig: signatureBy(at.key, payload).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '') },
    ];
    const { result } = await registerSigned(at, { ...version, signature: envelopeOf(payload, signatures) });
    assert.equal(result, 'verified');
  });
});

/** The weakness of each envelope or key. `make` gives the proposal to register. */
const WEAKNESSES: Record<string, [reason: string, make: (at: Ground) => Answered]> = {
  'no envelope': ['signature_missing', () => proposal()],
  'an envelope whose signatures were stripped': [
    'signature_missing',
    ({ id }) => ({ ...proposal(), signature: envelopeOf(bytesOf(statementFor(id, proposal())), []) }),
  ],
  'a tampered signature': [
    'signature_invalid',
    ({ id, key }) => {
      const payload = bytesOf(statementFor(id, proposal()));
      const sig = Buffer.from(signatureBy(key, payload), 'base64');
      sig[7] = (sig[7] ?? 0) ^ 1;
      return { ...proposal(), signature: envelopeOf(payload, [{ keyid: key.keyId, sig: sig.toString('base64') }]) };
    },
  ],
  'a manifest that was changed after signing': [
    'signature_invalid',
    ({ id, key }) => {
      const { signature } = signed(id, proposal(), key);
      return proposal('1.0.0', { manifest: { ...proposal().manifest, sensitivity: 'public' }, signature });
    },
  ],
  'the signature of another version': [
    'signature_invalid',
    ({ id, key }) => ({ ...proposal(), signature: signed(id, proposal('0.9.0'), key).signature }),
  ],
  'the signature of another capability': [
    'signature_invalid',
    ({ key }) => ({ ...proposal(), signature: signed('somebody-elses', proposal(), key).signature }),
  ],
  'another payload type': [
    'signature_invalid',
    ({ id, key }) => {
      const payload = bytesOf(statementFor(id, proposal()));
      const type = 'application/vnd.in-toto+json';
      const signatures = [{ keyid: key.keyId, sig: signatureBy(key, payload, type) }];
      return { ...proposal(), signature: envelopeOf(payload, signatures, type) };
    },
  ],
  'a payload that was encoded again': [
    'signature_invalid',
    ({ id, key }) => {
      const payload = Buffer.from(JSON.stringify(statementFor(id, proposal()), undefined, 2));
      const signatures = [{ keyid: key.keyId, sig: signatureBy(key, payload) }];
      return { ...proposal(), signature: envelopeOf(payload, signatures) };
    },
  ],
  'a signature over the bare payload': [
    'signature_invalid',
    ({ id, key }) => {
      const payload = bytesOf(statementFor(id, proposal()));
      const bare = signatureBy(key, payload, '');
      return { ...proposal(), signature: envelopeOf(payload, [{ keyid: key.keyId, sig: bare }]) };
    },
  ],
  'a wrong key under a known key id': [
    'signature_invalid',
    ({ id, key }) => signed(id, proposal(), { ...newKey(), keyId: key.keyId }),
  ],
  'a key that nobody has registered': ['publisher_unknown', ({ id }) => signed(id, proposal(), newKey())],
  'a key of a foreign publisher': ['publisher_unknown', async ({ id }) => signed(id, proposal(), (await ground()).key)],
  'a key that waits for its review': [
    'publisher_unknown',
    async ({ id, publisher }) => {
      const key = newKey();
      await addKey(service, publisher, key, { verdict: 'none' });
      return signed(id, proposal(), key);
    },
  ],
  'a key that was rejected': [
    'publisher_unknown',
    async ({ id, publisher }) => {
      const key = newKey();
      await addKey(service, publisher, key, { verdict: 'rejected' });
      return signed(id, proposal(), key);
    },
  ],
  'an expired key': [
    'publisher_key_expired',
    async ({ id, publisher }) => {
      const key = newKey();
      await addKey(service, publisher, key, { notAfter: inAnHour() });
      clock.advance(3_600_001);
      return signed(id, proposal(), key);
    },
  ],
  'a revoked key': [
    'publisher_key_revoked',
    async ({ id, publisher, key }) => {
      await revokeKey(publisher, key);
      return signed(id, proposal(), key);
    },
  ],
  'a revoked publisher': [
    'publisher_key_revoked',
    async ({ id, publisher, key }) => {
      await revokePublisher(publisher);
      return signed(id, proposal(), key);
    },
  ],
};

const revokeKey = async (publisher: string, { keyId }: SigningKey): Promise<Answered> =>
  expecting(200, await service.call('operator', 'POST', `${keyPath(publisher, keyId)}/revoke`, { reason: 'stolen' }));
const revokePublisher = async (publisher: string): Promise<Answered> =>
  expecting(200, await service.call('operator', 'POST', `/v1/publishers/${publisher}/revoke`, { reason: 'gone bad' }));

describe('a version is not approved with', () => {
  for (const [name, [reason, make]] of Object.entries(WEAKNESSES)) {
    test(`${name}: ${reason}`, async () => {
      const at = await ground();
      const version = await make(at);
      assert.equal((await registerSigned(at, version)).result, reason);
      assert.deepEqual(refused(409, 'exception_required', await review(at.id)).needed, [reason]);
      if (reason === 'signature_missing') expecting(200, await review(at.id, [reason]));
      else refused(400, 'malformed_request', await review(at.id, [reason]));
    });
  }
});

describe('a task that runs', () => {
  /** An approved version with a task, and its first allow. */
  async function running(more: { notAfter?: string } = {}): Promise<Ground & { task: Answered; allow: Answered }> {
    const at = await ground();
    const key = newKey();
    await addKey(service, at.publisher, key, more);
    await registerSigned(at, signed(at.id, proposal(), key));
    await approve(service, at.id, '1.0.0', []);
    const task = await openTask(service, { scope: scopeOf(at.id), ttlMs: 86_400_000 });
    const allow = await decide(service, task);
    assert.equal(allow.decision, 'allow');
    return { ...at, key, task, allow };
  }

  /** The directive that a revocation issued. */
  const latestDirective = async () => (await eventsOf(service, 'directives')).at(-1)?.data;

  test('is denied from the revocation of its key on, by a directive that its allow names', async () => {
    const { task, publisher, key, allow, id } = await running();
    await revokeKey(publisher, key);
    const denied = await decide(service, task);
    assert.equal(denied.reason, 'publisher_key_revoked');
    const { evidence } = denied.checks.at(-1);
    assert.deepEqual(evidence, { result: 'publisher_key_revoked', publisher, keyId: key.keyId });
    assert.deepEqual((await latestDirective())?.target, { type: 'publisher-key', publisher, keyId: key.keyId });
    assert.ok(allow.targets.includes(`publisher-key:${publisher}/${key.keyId}`));
    assert.equal((await shownSignature(id)).result, 'publisher_key_revoked');
  });

  test('gets no content of a call that ends after the revocation of its key', async () => {
    const { task, publisher, key, allow } = await running();
    await revokeKey(publisher, key);
    const body = { taskId: task.taskId, result: { content: [{ type: 'text', text: 'hello' }] } };
    const answer = await service.call('host', 'POST', `/v1/calls/${allow.callId}/response`, body);
    const { verdict, findings, envelope } = expecting(200, answer);
    assert.equal(verdict, 'rejected');
    assert.deepEqual(
      findings.map(({ kind }: Answered) => kind),
      ['disabled'],
    );
    assert.equal(envelope, undefined);
  });

  test('is denied from the revocation of the publisher on', async () => {
    const { task, publisher, allow } = await running();
    await revokePublisher(publisher);
    assert.equal((await decide(service, task)).reason, 'publisher_key_revoked');
    assert.deepEqual((await latestDirective())?.target, { type: 'publisher', publisher });
    assert.ok(allow.targets.includes(`publisher:${publisher}`));
  });

  test('is denied once its key has expired, and the replay of all of it is identical', async () => {
    const { task, id } = await running({ notAfter: inAnHour() });
    clock.advance(3_600_001);
    assert.equal((await decide(service, task)).reason, 'publisher_key_expired');
    assert.equal((await shownSignature(id)).result, 'publisher_key_expired');
    const replay = await service.call('auditor', 'GET', `/v1/audit/traces/${task.traceId}/replay`);
    const { identical, calls } = expecting(200, replay);
    assert.equal(identical, true);
    assert.equal(calls.length, 2);
  });

  test('goes on with the other signature after one key was revoked', async () => {
    const at = await ground();
    const second = newKey('ecdsa-p256');
    await addKey(service, at.publisher, second);
    await registerSigned(at, signed(at.id, proposal(), at.key, second));
    await approve(service, at.id, '1.0.0', []);
    const task = await openTask(service, { scope: scopeOf(at.id) });
    await revokeKey(at.publisher, at.key);
    const { decision, targets } = await decide(service, task);
    assert.equal(decision, 'allow');
    assert.ok(targets.includes(`publisher-key:${at.publisher}/${second.keyId}`));
  });

  test('is denied once its publisher may no longer sign for the capability', async () => {
    const { task, id } = await running();
    const change = { publishers: [], reason: 'they sold it' };
    expecting(200, await service.call('registrar', 'PUT', `/v1/capabilities/${id}/publishers`, change));
    assert.equal((await decide(service, task)).decision, 'allow');
    const verdict = { verdict: 'approved', reason: 'asked them' };
    expecting(200, await service.call('reviewer', 'POST', `/v1/capabilities/${id}/publishers/review`, verdict));
    assert.equal((await decide(service, task)).reason, 'publisher_unknown');
    assert.equal((await shownSignature(id)).result, 'publisher_unknown');
  });
});

test('a version that was signed before its key came is verified when the key comes', async () => {
  const at = await ground();
  const late = newKey();
  assert.equal((await registerSigned(at, signed(at.id, proposal(), late))).result, 'publisher_unknown');
  await addKey(service, at.publisher, late, { verdict: 'none' });
  assert.equal((await shownSignature(at.id)).result, 'publisher_unknown');
  const verdict = { verdict: 'approved', reason: 'called them' };
  expecting(200, await service.call('reviewer', 'POST', `${keyPath(at.publisher, late.keyId)}/review`, verdict));
  assert.equal((await shownSignature(at.id)).result, 'verified');
});

test('a version is verified when its publisher is let in, which needs a second person', async () => {
  const at = await ground();
  const other = await ground();
  assert.equal((await registerSigned(at, signed(at.id, proposal(), other.key))).result, 'publisher_unknown');
  const path = `/v1/capabilities/${at.id}/publishers`;
  const change = { publishers: [at.publisher, other.publisher], reason: 'a second source' };
  expecting(200, await service.call('registrar', 'PUT', path, change));
  assert.equal((await shownSignature(at.id)).result, 'publisher_unknown');
  const verdict = { verdict: 'approved', reason: 'asked them' };
  const { publishers } = expecting(200, await service.call('reviewer', 'POST', `${path}/review`, verdict));
  assert.deepEqual(publishers, change.publishers);
  assert.equal((await shownSignature(at.id)).result, 'verified');
  refused(409, 'invalid_transition', await service.call('reviewer', 'POST', `${path}/review`, verdict));
});

describe('a key', () => {
  test('is refused if it is private, of another algorithm, or no key', async () => {
    const publisher = await newPublisher(service);
    const { privateKey, publicKey } = newKey();
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    for (const [algorithm, text] of [
      ['ed25519', pem],
      ['ecdsa-p256', publicKey],
      ['ed25519', publicKey.slice(0, 40)],
      ['ed25519', `${publicKey}${publicKey}`],
    ] as const) {
      const body = { keyId: 'k1', algorithm, publicKey: text };
      const answer = await service.call('registrar', 'POST', `/v1/publishers/${publisher}/keys`, body);
      const { errors } = refused(400, 'malformed_request', answer);
      assert.equal(errors[0].path, '/publicKey');
      assert.ok(!JSON.stringify(answer.body).includes(pem.split('\n')[1] ?? pem));
    }
  });

  test('has one review by somebody else, one id, and does not come back after its revocation', async () => {
    const publisher = await newPublisher(service);
    const key = newKey();
    await addKey(service, publisher, key, { verdict: 'none' });
    const body = { keyId: key.keyId, algorithm: key.algorithm, publicKey: key.publicKey };
    const path = `/v1/publishers/${publisher}/keys`;
    assert.equal(expecting(201, await service.call('registrar', 'POST', path, body)).status, 'pending');
    await revokeKey(publisher, key);
    const again = { ...body, keyId: 'another-id' };
    refused(409, 'already_exists', await service.call('registrar', 'POST', path, again));
    const verdict = { verdict: 'approved', reason: 'x' };
    const review = await service.call('reviewer', 'POST', `${keyPath(publisher, key.keyId)}/review`, verdict);
    refused(409, 'invalid_transition', review);
    const shown = expecting(200, await service.call('auditor', 'GET', `/v1/publishers/${publisher}`));
    assert.equal(shown.keys[0].status, 'revoked');
  });
});
