import assert from 'node:assert/strict';
import { test } from '../../test/support/testing.js';
import type { Json, JsonObject } from '../kernel/canonical-json.js';
import { diffManifests } from './manifest-diff.js';

const server = { method: 'package' as const, integrity: 'sha512-a' };
const manifest = (operation: JsonObject = {}, more: JsonObject = {}) => ({
  operations: { send: { effects: ['read'], ...operation } },
  sensitivity: 'internal',
  server,
  ...more,
});
type Given = Parameters<typeof diffManifests>[0];

/** The changes as `severity path`, with the operation left out of the path. */
function changes(before: unknown, after: unknown): string[] {
  const diff = diffManifests(before as Given, after as Given);
  return diff.changes.map(({ severity, path }) => `${severity} ${path.replace('/operations/send', '')}`);
}

const WIDER: readonly (readonly [string, JsonObject, JsonObject])[] = [
  ['/effects', {}, { effects: ['read', 'send'] }],
  ['/returns', { returns: 'confidential' }, { returns: 'internal' }],
  ['/returns', { returns: 'confidential' }, {}],
  ['/needs/context', {}, { needs: { context: ['crm/*'] } }],
  ['/needs/context', { needs: { context: ['crm/7'] } }, { needs: { context: ['crm/7', 'chat'] } }],
  ['/needs/contextBytes', {}, { needs: { contextBytes: 65_537 } }],
  ['/needs/arguments', { needs: { arguments: [] } }, {}],
  ['/needs/arguments/~1b', { needs: { arguments: ['/a'] } }, { needs: { arguments: ['/a', '/b'] } }],
  [
    '/needs/arguments/~1a/accepts',
    { needs: { arguments: ['/a'] } },
    { needs: { arguments: [{ path: '/a', accepts: ['pii:email'] }] } },
  ],
  [
    '/needs/arguments/~1a/maxLength',
    { needs: { arguments: [{ path: '/a', maxLength: 10 }] } },
    { needs: { arguments: [{ path: '/a' }] } },
  ],
];

test('each widening of an operation is an authority change, and the same the other way round is not', () => {
  for (const [path, before, after] of WIDER) {
    assert.deepEqual(changes(manifest(before), manifest(after)), [`authority-change ${path}`], path);
    assert.deepEqual(changes(manifest(after), manifest(before)), [`cosmetic ${path}`], path);
  }
});

test('a higher sensitivity, another host and another server widen; a new digest of the package does not', () => {
  const before = manifest({ returns: 'internal' });
  const after = (more: JsonObject) => manifest({ returns: 'internal' }, more);
  assert.deepEqual(changes(before, after({ sensitivity: 'restricted' })), ['authority-change /sensitivity']);
  assert.deepEqual(changes(before, after({ egress: ['x.org'] })), ['authority-change /egress']);
  assert.deepEqual(changes(before, after({ server: { method: 'none' } })), ['authority-change /server']);
  const released = after({ server: { ...server, integrity: 'sha512-b' } });
  assert.deepEqual(changes(before, released), ['cosmetic /server/integrity']);
  assert.deepEqual(
    changes(manifest(), manifest({}, { sensitivity: 'public' })),
    ['authority-change /returns', 'cosmetic /sensitivity'],
    'a lower sensitivity lowers the level of responses that have none of their own',
  );
});

test('operations come and go, grave changes come first, and long lists are cut', () => {
  const { changes: none, severity } = diffManifests(manifest() as Given, manifest() as Given);
  assert.deepEqual([none, severity], [[], 'none']);
  const two = { ...manifest(), operations: { ...manifest().operations, zap: { effects: ['write'] } } };
  assert.deepEqual(changes(manifest(), two), ['authority-change /operations/zap']);
  assert.deepEqual(changes(two, manifest()), ['cosmetic /operations/zap']);
  const other = manifest({ effects: ['write'] }, { sensitivity: 'public' });
  assert.deepEqual(changes({ ...two, sensitivity: 'confidential' }, other).at(-1), 'cosmetic /operations/zap');
  const many: Json = Array.from({ length: 600 }, (_, index) => `/a${index}`);
  const cut = diffManifests(
    manifest({ needs: { arguments: [] } }) as Given,
    manifest({ needs: { arguments: many } }) as Given,
  );
  assert.deepEqual([cut.changes.length, cut.truncated], [500, true]);
});

test('the order of lists, and a short way to write a pointer, are no changes', () => {
  const before = manifest({ effects: ['read', 'send'], needs: { arguments: ['/a'], contextBytes: 65_536 } });
  const after = manifest({ effects: ['send', 'read'], needs: { arguments: [{ path: '/a' }] } });
  assert.deepEqual(changes(before, after), []);
});
