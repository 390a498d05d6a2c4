import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROBLEMS, type ProblemCode } from '../../libs/contract/problem.js';
import { fingerprintDefinition, type DigestedDefinition } from '../../libs/kernel/definition-digest.js';
import { stateRoot } from '../../libs/directive/decider.js';
import { BeatContent, verifiedContent, type DirectiveView } from '../../libs/feed/beat.js';
import { proverOf } from '../../libs/feed/state-proof.js';
import { Lease, type Sent } from '../../libs/host/directives/lease.js';
import { isVoid, step, type Replica } from '../../libs/host/directives/replica.js';
import { GOLDEN, readJson } from './files.js';
import { test } from '../support/testing.js';

/** The vectors for hosts in other languages (docs/reference/foreign-host.md), held to the code of the host SDK. */

interface Cases<Case> {
  readonly cases: readonly Case[];
}

test('definition digests are as the vectors say', () => {
  const { cases } = readJson<Cases<{ definition: DigestedDefinition; digest: string }>>('host', 'digest.json');
  for (const { definition, digest } of cases) {
    const made = fingerprintDefinition(definition);
    assert.equal(made.ok && made.value.digest, digest);
  }
  assert.equal(new Set(cases.map(({ digest }) => digest)).size, cases.length, 'nulls are another definition');
});

test('state roots and proofs are as the vectors say', () => {
  interface State {
    readonly active: readonly DirectiveView[];
    readonly instanceId: string;
    readonly nonce: string;
    readonly stateRoot: string;
    readonly proof: string;
  }
  const { cases } = readJson<Cases<State>>('host', 'state.json');
  for (const { active, instanceId, nonce, stateRoot: root, proof } of cases) {
    assert.equal(stateRoot(active), root);
    assert.equal(proverOf(active)(instanceId, nonce), proof);
  }
});

test('a host reads the content of signed beats, and nothing of others', () => {
  interface Signed {
    readonly name: string;
    readonly beat: Readonly<Record<string, unknown>>;
    readonly content?: object;
  }
  const file = readJson<Cases<Signed> & { keys: { kid: string; kty: string }[] }>('host', 'beats.json');
  const keys = new Map(file.keys.map((jwk) => [jwk.kid, createPublicKey({ key: jwk, format: 'jwk' })]));
  for (const { name, beat, content } of file.cases) {
    assert.deepEqual(verifiedContent(beat, keys), content, name);
    if (content !== undefined) assert.ok(BeatContent.safeParse(content).success, name);
  }
});

test('a lease goes as in each timeline', () => {
  interface Step {
    readonly do: 'ask' | 'answer' | 'beat' | 'look';
    readonly monotonicMs: number;
    readonly wallMs: number;
    readonly issuedAtMs: number;
    readonly counts?: boolean;
    readonly standing: string;
    readonly remainingMs: number;
  }
  interface File {
    readonly leaseMs: number;
    readonly skewMs: number;
    readonly timelines: readonly { readonly name: string; readonly steps: readonly Step[] }[];
  }
  const { leaseMs, skewMs, timelines } = readJson<File>('host', 'lease.json');
  for (const { name, steps } of timelines) {
    let now: Sent = { monotonicMs: 0, wallMs: 0 };
    let sent = now;
    const lease = new Lease({ monotonicMs: () => now.monotonicMs, wallMs: () => now.wallMs }, skewMs);
    for (const each of steps) {
      now = each;
      const timed = { issuedAtMs: each.issuedAtMs, leaseMs };
      let counts: boolean | undefined;
      if (each.do === 'ask') sent = lease.now();
      if (each.do === 'beat') counts = lease.renew(timed) === 'renewed';
      if (each.do === 'answer') {
        counts = lease.measured(sent, timed.issuedAtMs);
        if (counts) lease.grant(sent, timed);
      }
      const after = [counts, lease.standing(), lease.remainingMs()];
      assert.deepEqual(after, [each.counts, each.standing, each.remainingMs], `${name}, at ${each.monotonicMs}`);
    }
  }
});

test('an allow is void as the vectors say', () => {
  interface Voided {
    readonly name: string;
    readonly beats: readonly BeatContent[];
    readonly allows: readonly { readonly epoch: number; readonly targets: readonly string[]; readonly void: boolean }[];
  }
  for (const { name, beats, allows } of readJson<Cases<Voided>>('host', 'voids.json').cases) {
    let replica: Replica | undefined;
    for (const beat of beats) {
      const stepped = step(replica, BeatContent.parse(beat));
      assert.ok(stepped.ok && stepped.value.kind !== 'ignored', name);
      replica = stepped.value.replica;
    }
    assert.ok(replica);
    for (const allow of allows) assert.equal(isVoid(replica, allow), allow.void, `${name}: ${JSON.stringify(allow)}`);
  }
});

/** Codes that only reviewers meet. */
const OF_REVIEWS: ReadonlySet<string> = new Set<ProblemCode>(['self_review', 'exception_required', 'evidence_damaged']);

test('the guide names every code of a host with its statuses, and repeats those that pass by themselves', () => {
  const guide = readFileSync(join(GOLDEN, '../../docs/reference/foreign-host.md'), 'utf8');
  const rows = [...guide.matchAll(/^\| `(\w+)` \| (\d+) \| `(\w+)` \| (yes|no)\b/gm)].map(([, ...row]) => row);
  const known = Object.entries(PROBLEMS).filter(([code]) => !OF_REVIEWS.has(code));
  const expected = known.map(([code, { status, grpc }]) => {
    const passes = grpc === 'UNAVAILABLE' || grpc === 'RESOURCE_EXHAUSTED';
    return [code, String(status), grpc, passes ? 'yes' : 'no'];
  });
  assert.deepEqual(rows.sort(), expected.sort());
});
