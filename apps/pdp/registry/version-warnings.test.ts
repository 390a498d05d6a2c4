import assert from 'node:assert/strict';
import { test } from '../../../test/support/testing.js';
import type { JsonObject } from '../../../libs/kernel/canonical-json.js';
import { isLocatorName } from '../../../libs/vocabulary/locators.js';
import { warningsOf } from './version-warnings.js';

const tool = (name: string, properties: JsonObject) => ({ name, inputSchema: { type: 'object', properties } });
const definition = {
  tools: [
    tool('write', { path: { type: 'string' }, text: { type: 'string' } }),
    tool('read', { path: { type: 'string' } }),
  ],
};
const server = { method: 'none' } as const;
type Needs = { arguments: { path: string; accepts?: string[] }[] };

function warned(needs: Needs | undefined, more: { enforced?: boolean; sensitivity?: 'internal' | 'restricted' } = {}) {
  const { enforced = true, sensitivity = 'internal' as const } = more;
  const manifest = {
    operations: { write: { effects: ['write' as const], needs }, read: { effects: ['read' as const] } },
    sensitivity,
    server,
  };
  const facts = (effects: ('read' | 'write')[]) => ({ effects, ...(enforced && needs !== undefined ? { needs } : {}) });
  const operations = { write: facts(['write']), read: { effects: ['read' as const] } };
  return (warningsOf(definition, manifest, { operations, sensitivity }) ?? []).map(({ path, message }) => [
    path,
    message.split(',')[0],
  ]);
}

const LOCATOR = [['/manifest/operations/write', '/path names or addresses something']];

test('an operation that does more than read is warned of texts that are a target and accept nothing', () => {
  assert.deepEqual(warned(undefined), LOCATOR);
  assert.deepEqual(warned({ arguments: [{ path: '/path' }, { path: '/text', accepts: ['pii:email'] }] }), LOCATOR);
  assert.deepEqual(warned({ arguments: [{ path: '/path', accepts: ['pii:email'] }] }), []);
  assert.deepEqual(warned({ arguments: [{ path: '/text' }] }), [], 'it never leaves');
  assert.deepEqual(warned(undefined, { sensitivity: 'restricted' }), [], 'no personal data is redacted');
});

test('needs that leave out an argument that the schema requires are named', () => {
  const inputSchema = {
    type: 'object',
    required: ['target', 'mail'],
    properties: {
      target: { type: 'string' },
      mail: { type: 'object', required: ['to', 'text'], properties: { to: {}, text: {} } },
    },
  };
  const needs = { arguments: [{ path: '/mail/text' }, { path: '/source' }] };
  const warned = (given: typeof needs) => {
    const sensitivity = 'internal' as const;
    const manifest = { operations: { write: { effects: ['read' as const], needs: given } }, sensitivity, server };
    const operations = { write: { effects: ['read' as const], needs: given } };
    const tools = [{ name: 'write', inputSchema }];
    return (warningsOf({ tools }, manifest, { operations, sensitivity }) ?? []).map(({ path, message }) => [
      path,
      message.split(',')[0],
    ]);
  };
  const path = '/manifest/operations/write/needs';
  assert.deepEqual(warned(needs), [
    [path, 'names no /target'],
    [path, 'names no /mail/to'],
  ]);
  assert.deepEqual(warned({ arguments: [{ path: '/mail' }, { path: '/target' }] }), []);
});

test('a place that content goes to names something', () => {
  for (const name of ['source', 'destination', 'target', 'moveTo']) assert.ok(isLocatorName(name), name);
  assert.ok(!isLocatorName('sources of error'));
});

test('needs of a version from before they were enforced are named', () => {
  const needs = { arguments: [{ path: '/path', accepts: ['pii:email'] }] };
  assert.deepEqual(warned(needs, { enforced: false }), [
    ['/manifest/operations/write/needs', 'has no effect'],
    ...LOCATOR,
  ]);
});
