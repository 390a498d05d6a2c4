import assert from 'node:assert/strict';
import type { JsonObject } from '../../../libs/kernel/canonical-json.js';
import { fingerprintDefinition } from '../../../libs/kernel/definition-digest.js';
import { CaptureFailure } from './failure.js';
import type { ServerDefinition } from '../../../libs/mcp/definition.js';
import type { Observation, Target } from './observe.js';
import { hintsOf, leftOutLines } from './report.js';
import { effectsOf } from './operations.js';
import { commandLine, registrationOf, type Registration } from './registration.js';
import { test } from '../../../test/support/testing.js';

const GIVEN = { kind: 'mcp-server', category: 'files', owner: 'me', sensitivity: 'confidential' } as const;

function observation(definition: ServerDefinition, spki?: string): Observation {
  const fingerprint = fingerprintDefinition(definition);
  assert.ok(fingerprint.ok);
  return {
    definition,
    missing: [],
    fingerprint: fingerprint.value,
    probe: { protocolVersion: '2025-11-25', clientCapabilities: {} },
    spki,
  };
}

const effects = (annotations?: JsonObject) =>
  effectsOf({ name: 't', ...(annotations === undefined ? {} : { annotations }) });

test('effects follow the annotations, and an absent hint counts against the tool', () => {
  assert.deepEqual(effects(), ['read', 'write', 'send', 'modify']);
  assert.deepEqual(effects({}), ['write', 'send', 'modify']);
  assert.deepEqual(effects({ readOnlyHint: true }), ['read']);
  assert.deepEqual(effects({ readOnlyHint: true, openWorldHint: true }), ['read', 'send']);
  assert.deepEqual(effects({ readOnlyHint: 'true' }), ['write', 'send', 'modify']);
  assert.deepEqual(effects({ destructiveHint: true, openWorldHint: false }), ['write', 'modify']);
  assert.deepEqual(effects({ destructiveHint: false, openWorldHint: false }), ['write']);
  assert.deepEqual(effects({ destructiveHint: false, openWorldHint: true }), ['write', 'send']);
});

const propose = (...given: Parameters<typeof registrationOf>): Registration => registrationOf(...given).registration;

const TARGET: Target = { command: ['./server', '--root', '/srv/my docs'], env: [] };

test('without proof there is no integrity, and the reason is given', () => {
  const source = { type: 'file', name: 'server.py' } as const;
  const observed = observation({ tools: [], serverInfo: { name: 'Serv er', version: '1.0' } });
  const found = { source, note: 'the command names no file' };
  const registration = propose(TARGET, observed, found, GIVEN);
  assert.equal(registration.id, 'serv-er');
  assert.equal(registration.version.version, '1.0');
  assert.deepEqual(registration.version.manifest.server, { method: 'none' });
  assert.deepEqual(registration.version.source, source);
  assert.match(
    hintsOf(TARGET, found, registration).join('\n'),
    /nothing proves which server.*: the command names no file/,
  );
});

test('with an integrity, the package and the command are what the server proves itself by', () => {
  const source = { type: 'npm', name: 's', version: '1.0.0', integrity: 'sha512-x' } as const;
  const found = { source, integrity: 'sha512-x', note: 'n' };
  const { version } = propose(TARGET, observation({}), found, GIVEN);
  const command = "./server --root '/srv/my docs'";
  assert.deepEqual(version.manifest.server, { method: 'package', integrity: 'sha512-x', command });
  assert.deepEqual(version.source, source);
});

test('an address is pinned by its key if it has one', () => {
  const target: Target = { url: new URL('https://mcp.example.com/mcp'), bearer: 'secret-token' };
  const pinned = propose(target, observation({}, 'sha256:00'), undefined, GIVEN);
  const url = 'https://mcp.example.com/mcp';
  assert.deepEqual(pinned.version.manifest.server, { method: 'tls', url, spki: 'sha256:00' });
  assert.deepEqual(pinned.version.source, { type: 'http', name: 'mcp.example.com', url });
  assert.ok(!JSON.stringify(pinned).includes('secret-token'));
  assert.deepEqual(propose(target, observation({}), undefined, GIVEN).version.manifest.server, {
    method: 'none',
  });
});

test('a tool may have the name of a built-in member', () => {
  const inputSchema = { type: 'object' };
  const tools = [
    { name: '__proto__', inputSchema },
    { name: 'constructor', inputSchema },
  ];
  const { version } = propose(TARGET, observation({ tools }), undefined, GIVEN);
  assert.deepEqual(Object.keys(JSON.parse(JSON.stringify(version.manifest.operations)) as object), [
    '__proto__',
    'constructor',
  ]);
});

test('prompts, templates and resources are operations that read', () => {
  const definition = {
    prompts: [{ name: 'p' }],
    resourceTemplates: [{ uriTemplate: 'x://{y}' }],
    resources: [{ uri: 'x://1' }],
  };
  const { version } = propose(TARGET, observation(definition), undefined, GIVEN);
  assert.deepEqual(
    { ...version.manifest.operations },
    {
      'prompt:p': { effects: ['read'] },
      'template:x://{y}': { effects: ['read'] },
      'resource:x://1': { effects: ['read'] },
    },
  );
});

test('a person sees what needs a second look', () => {
  const target: Target = { command: ['s', '--api-key=hunter2'], env: [] };
  const definition = { tools: [{ name: 'bare' }, { name: 'prompt:fake', annotations: {} }] };
  const hints = hintsOf(target, undefined, propose(target, observation(definition), undefined, GIVEN)).join('\n');
  assert.match(hints, /1 tools carry no annotations/);
  assert.match(hints, /1 tools have a name that is reserved/);
  assert.match(hints, /looks as if it held a secret/);
  assert.match(hints, /server_unauthenticated/);
  assert.doesNotMatch(hints, /hunter2/);
});

test('every operation that the manifest lacks is named', () => {
  const tools = Array.from({ length: 600 }, (_, at) => ({ name: `tool-${at}`, inputSchema: { type: 'object' } }));
  const { registration, leftOut } = registrationOf(TARGET, observation({ tools }), undefined, GIVEN);
  assert.equal(Object.keys(registration.version.manifest.operations).length, 512);
  const lines = leftOutLines(leftOut);
  assert.match(lines[0] ?? '', /^note: 88 operations are left out/);
  assert.equal(lines.length, 1 + 88);
  assert.equal(lines.at(-1), '  tool-599: a manifest names 512 at most');
});

test('a command line is written so that a shell reads it back, and never cut', () => {
  assert.equal(commandLine(['node', "it's", '']), `node 'it'\\''s' ''`);
  assert.throws(() => commandLine(['x'.repeat(5000)]), CaptureFailure);
});
