import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { digestOf } from '../kernel/digest.js';
import { restCapability, wakeCapability } from './resting.js';
import { evolveCapability, type CapabilityState, type MaybeCapability } from './state.js';
import type { CapabilityEvent } from './events.js';
import { test } from '../../test/support/testing.js';

const at = { actor: 'vera', time: '2026-11-22T10:00:00.000Z' };
const subject = { capability: 'notes', version: '1' };

function proposed(version: string, words: readonly string[]): CapabilityEvent {
  const operations = Object.fromEntries(words.map((word) => [word, { effects: ['read'] as const }]));
  const data = {
    capability: 'notes',
    version,
    source: { type: 'npm' as const, name: words[0] ?? 'notes' },
    definitionDigest: digestOf(version),
    documents: { definition: digestOf('d'), manifest: digestOf('m') },
    operations: { ...operations, recall: { effects: ['read'] as const, arguments: digestOf('a') } },
    sensitivity: 'internal' as const,
    server: { method: 'none' as const },
    requestDigest: digestOf('r'),
  };
  return { type: 'VersionProposed', data, ...at };
}

/** A capability with something in every field. */
function lived(words: readonly string[]): CapabilityState {
  const reason = words.join();
  const diff = { severity: 'cosmetic', changes: [], supplyChain: [] } as never;
  const events: CapabilityEvent[] = [
    {
      type: 'CapabilityRegistered',
      data: {
        capability: 'notes',
        kind: 'mcp-server',
        category: 'storage',
        owner: reason,
        publishers: ['acme'],
        requestDigest: digestOf('c'),
      },
      ...at,
    },
    proposed('1', words),
    proposed('2', []),
    {
      type: 'VersionReviewed',
      data: { ...subject, verdict: 'approved', reason, exceptions: ['signature_missing'] },
      ...at,
    },
    { type: 'DriftObserved', data: { ...subject, host: 'h', observedDigest: digestOf('o'), diff }, ...at },
    { type: 'VersionSuspended', data: { ...subject, reason, cause: 'drift', host: 'h' }, ...at },
    { type: 'VersionSuspended', data: { ...subject, reason, cause: 'drift', directiveId: 'an id' }, ...at },
  ];
  let state: MaybeCapability;
  for (const event of events) state = evolveCapability(state, event);
  return state ?? assert.fail();
}

test('a capability that rested is the one that it was, whatever its texts are', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('__proto__', '"id":"', '\u0000\u0001', digestOf('x')),
  );
  fc.assert(
    fc.property(fc.array(text, { maxLength: 4 }), (words) => {
      const wellFormed = words.map((word) => word.toWellFormed());
      const state = lived(wellFormed);
      assert.deepEqual(wakeCapability(restCapability(state)), state);
    }),
    { numRuns: 200 },
  );
});

test('a capability goes on from where it rested', () => {
  const event: CapabilityEvent = { type: 'VersionReinstated', data: { ...subject, reason: 'r' }, ...at };
  const rested = evolveCapability(wakeCapability(restCapability(lived(['a']))), event);
  assert.deepEqual(rested, evolveCapability(lived(['a']), event));
});

test('a capability of two versions rests in less than 2.5 kB: a process holds 100,000 of them', () => {
  assert.ok(restCapability(lived(['recall', 'store'])).length < 2_500);
});
