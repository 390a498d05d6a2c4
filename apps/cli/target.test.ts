import assert from 'node:assert/strict';
import { parseScope } from './commands/task.js';
import { parseTarget, targetText } from './target.js';
import { UsageError } from './world.js';
import { test } from '../../test/support/testing.js';

const TASK = '0b9f3a52-7c55-4c1e-8a55-2f6a3a1b7f11';

const TARGETS: Readonly<Record<string, object>> = {
  all: { type: 'all' },
  'capability:fs': { type: 'capability', capability: 'fs' },
  'version:fs@1.0.0+b': { type: 'version', capability: 'fs', version: '1.0.0+b' },
  'operation:fs/resource:file:///a/b': { type: 'operation', capability: 'fs', operation: 'resource:file:///a/b' },
  'publisher:acme': { type: 'publisher', publisher: 'acme' },
  'publisher-key:acme/k1': { type: 'publisher-key', publisher: 'acme', keyId: 'k1' },
  'source:npm:@scope/name': { type: 'source', source: 'npm:@scope/name' },
  'category:files': { type: 'category', category: 'files' },
  'effect:deploy': { type: 'effect', effect: 'deploy' },
  'host:h1': { type: 'host', host: 'h1' },
  [`task:${TASK}`]: { type: 'task', taskId: TASK },
};

test('each target has one text form, there and back', () => {
  for (const [text, target] of Object.entries(TARGETS)) {
    assert.deepEqual(parseTarget(text), target, text);
    assert.equal(targetText(target), text);
    assert.equal(targetText({ id: 'x', target }), text);
  }
});

test('a misspelt target is refused, so that a disable never misses', () => {
  const wrong = [
    '',
    'al',
    'fs',
    'capability:',
    'version:fs',
    'version:@1',
    'operation:fs',
    'effect:erase',
    'source:name',
  ];
  for (const text of [...wrong, 'task:7', 'constructor:x', '__proto__:x', 'Capability:fs']) {
    assert.throws(() => parseTarget(text), UsageError, text);
  }
});

test('a scope is a capability with effects, or the JSON of an entry', () => {
  assert.deepEqual(parseScope('fs:read'), { capability: 'fs', effects: ['read'] });
  assert.deepEqual(parseScope('fs@1.0.0:read,write'), {
    capability: 'fs',
    version: '1.0.0',
    effects: ['read', 'write'],
  });
  assert.deepEqual(parseScope('{"capability":"fs","operations":["a"],"maxCalls":2}'), {
    capability: 'fs',
    operations: ['a'],
    maxCalls: 2,
  });
  for (const text of ['fs', 'fs:', 'fs:read,', 'fs:read_text_file', ':read', '{"capability"', '[]']) {
    assert.throws(() => parseScope(text), UsageError, text);
  }
});
