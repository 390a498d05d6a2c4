import assert from 'node:assert/strict';
import { z } from 'zod';
import { OutcomeRequest, ResponseRequest } from '../../../libs/calls/requests.js';
import { AuthorizeRequest } from '../../../libs/calls/requests.js';
import { CloseTask, OpenTask } from '../../../libs/task/request.js';
import { observeVersion } from '../../../libs/contract/registry.js';
import { JsonText } from '../../../libs/kernel/json-text.js';
import { pathInMessage } from '../../../libs/wire/fields.js';
import { fullName, messageNames, messageOf } from '../../../libs/wire/protos.js';
import { Problem } from '../edge/problem.js';
import { fromMessage, readMessage, toMessage } from './codec.js';
import { describe, test } from '../../../test/support/testing.js';

/** Sends a shape over the wire and back. */
function roundTrip(type: string, shape: object): unknown {
  const bytes = messageOf(fullName(type)).serialize(toMessage(type, shape));
  const back = fromMessage(type, readMessage(type, bytes), { maxDepth: 64 }) as Record<string, unknown>;
  // The JSON of a response is parsed later, in another place.
  for (const [name, value] of Object.entries(back))
    if (value instanceof JsonText) back[name] = JSON.parse(String(value));
  return back;
}

const uuid = '00000000-0000-4000-8000-000000000001';
const digest = `sha256:${'0'.repeat(64)}`;
const server = {
  method: 'package',
  integrity: 'i',
  command: 'c',
  url: 'u',
  spki: 's',
  id: 'd',
  subject: 'j',
  resource: 'r',
};
const item = { id: 'a', source: 'b', level: 'public', categories: ['x'], content: '' };
const free = JSON.parse('{"a":[1,null,{"__proto__":{"b":1.5}}],"constructor":"é"}') as object;
const required = { callId: uuid, taskId: uuid, capability: 'memory', operation: 'recall', arguments: {} };
const task = { agent: 'a', user: { id: 'u', roles: [] }, purpose: '', scope: [] };

/** Requests with all optional members, with none of them, and with empty lists. */
const REQUESTS: Record<string, { schema: z.ZodType; shapes: object[] }> = {
  AuthorizeRequest: {
    schema: AuthorizeRequest,
    shapes: [
      {
        ...required,
        version: '1.0.0',
        arguments: free,
        context: [item, { id: 'b', source: 'c', content: 'd', derivedFrom: ['a'], mimeType: 't', required: true }],
        labels: [{ path: '/k', level: 'internal', categories: ['c'], source: 's' }, { path: '' }],
        instanceId: uuid,
        explain: false,
        approval: { grade: 'client', at: '2026-11-30T10:00:00.000Z' },
        observed: {
          definitionDigest: digest,
          definition: { tools: [free] },
          probe: { protocolVersion: 'p', clientCapabilities: free, credentialScope: 's' },
          server,
        },
      },
      { ...required, observed: { server: { method: 'none' } } },
      { ...required, context: [], labels: [], observed: { server: { method: 'none' } } },
      { ...required, context: [{ ...item, categories: [] }], observed: { server: { method: 'none' } } },
    ],
  },
  ValidateResponseRequest: {
    schema: ResponseRequest.and(z.object({ callId: z.string() })),
    shapes: [
      { callId: uuid, taskId: uuid, result: free },
      { callId: uuid, taskId: uuid, error: {} },
    ],
  },
  RecordOutcomeRequest: {
    schema: OutcomeRequest.extend({ callId: z.string() }),
    shapes: [
      {
        callId: uuid,
        taskId: uuid,
        status: 'failed',
        effect: { type: 'read', summary: '', reference: 'r' },
        control: { decision: '', by: 'b', reason: 'r' },
      },
      { callId: uuid, taskId: uuid, status: 'unknown' },
    ],
  },
  OpenTaskRequest: {
    schema: OpenTask,
    shapes: [
      task,
      {
        ...task,
        taskId: uuid,
        traceId: '1'.repeat(32),
        user: { id: 'u', roles: ['r'], attributes: free },
        scope: [
          { capability: 'm', version: '1', operations: ['o'], effects: ['read'], maxCalls: 0 },
          { capability: 'm', operations: [], effects: [] },
        ],
        ttlMs: 86_400_000,
        approve: { effects: ['write'], by: 'other' },
      },
    ],
  },
  ObserveVersionRequest: {
    schema: observeVersion.body.extend(observeVersion.params.shape),
    shapes: [
      { id: 'm', version: '1', definition: { tools: [{ ...free, name: 'n' }] } },
      {
        id: 'm',
        version: '1',
        definition: {},
        probe: { protocolVersion: 'p', clientCapabilities: free, credentialScope: 's' },
        server,
      },
    ],
  },
  CloseTaskRequest: { schema: CloseTask.extend({ taskId: z.string() }), shapes: [{ taskId: uuid, reason: 'r' }] },
};

describe('a request is the same after the wire, to its schema too', () => {
  for (const [type, { schema, shapes }] of Object.entries(REQUESTS)) {
    test(type, () => {
      for (const shape of shapes) {
        const back = roundTrip(type, shape);
        assert.deepEqual(back, shape);
        assert.equal(JSON.stringify(schema.parse(back)), JSON.stringify(schema.parse(shape)));
      }
    });

    test(`${type} has every field of its schema, and no other`, () => {
      // A field that only one of the two spells would be lost silently.
      const names = new Set(shapes.flatMap((shape) => Object.keys(shape)));
      const { field } = messageOf(fullName(type)).type as { field: { name: string }[] };
      const shown = field.filter(({ name }) => !name.endsWith('_empty'));
      const spelt = shown.map(({ name }) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()));
      assert.deepEqual(spelt.sort(), [...names].sort());
      if (schema instanceof z.ZodObject) assert.deepEqual(Object.keys(schema.shape).sort(), spelt);
    });
  }
});

const answer = {
  callId: uuid,
  taskId: uuid,
  traceId: '1'.repeat(32),
  decision: 'deny',
  reason: 'version_pending',
  capability: 'memory',
  operation: 'recall',
  checks: [
    { check: 'registered', outcome: 'pass' },
    { check: 'reviewed', outcome: 'fail', evidence: free },
  ],
  obligations: [],
  epoch: 0,
  leaseMs: 5000,
  position: '9223372036854775807',
};
const allow = {
  ...answer,
  decision: 'allow',
  rule: 'r',
  version: '1',
  outbound: {
    arguments: free,
    context: [item],
    redactions: [{ path: '/a', type: 't', count: 0 }],
    refusals: [{ path: '/context/0', reason: 'context_not_needed' }],
    labels: [{ path: '/context/0', level: 'internal', categories: ['pii:email'], source: 's' }],
  },
  targets: [],
  obligations: ['submit_definition'],
  expiresAt: '2026-11-22T00:00:00.000Z',
};
const pins = [{ capability: 'm', version: '1', definitionDigest: digest }];
const unresolved = [{ capability: 'n', reason: 'version_pending' }];
const beat = { kid: 'k', epoch: 2, position: '1', stateRoot: digest, issuedAt: 't', leaseMs: 5000, signature: 's' };
const version = {
  capability: 'm',
  version: '1',
  kind: 'mcp-server',
  category: 'c',
  owner: 'o',
  status: 'approved',
  source: { type: 'npm', name: 'n' },
  definitionDigest: digest,
  manifest: free,
  signature: { result: 'verified' },
  suspendedFor: [],
  proposedBy: 'p',
  proposedAt: 't',
  definition: free,
};
const directive = { id: uuid, epoch: 1, state: 'lifted', reason: 'r', issuedBy: 'o', issuedAt: 't' };
const TARGETS = [
  { type: 'all' },
  { type: 'version', capability: 'm', version: '1' },
  { type: 'operation', capability: 'm', operation: 'o' },
  { type: 'publisher', publisher: 'p' },
  { type: 'publisher-key', publisher: 'p', keyId: 'k' },
  { type: 'source', source: 'npm:m' },
  { type: 'category', category: 'c' },
  { type: 'effect', effect: 'read' },
  { type: 'host', host: 'h' },
  { type: 'task', taskId: uuid },
];
const ANSWERS: [string, object][] = [
  ['Beat', beat],
  ['Beat', { ...beat, active: [] }],
  ['Beat', { ...beat, active: TARGETS.map((target) => ({ ...directive, target })) }],
  ['Beat', { ...beat, directive: { ...directive, target: TARGETS[0], cause: uuid, expiresAt: 't' } }],
  ['AcknowledgeRequest', { instanceId: uuid, epoch: 0, stateRoot: digest, appliedAt: 't' }],
  ['AcknowledgeResponse', { position: '1' }],
  ['ListDirectivesRequest', { minPosition: '1' }],
  ['WatchDirectivesRequest', { sinceEpoch: 0, instanceId: uuid }],
  ['GetDirectiveTermsRequest', {}],
  [
    'DirectiveTerms',
    { leaseMs: 1, skewMs: 0, keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'x', kid: 'k', use: 'sig', alg: 'EdDSA' }] },
  ],
  ['GetVersionRequest', { id: 'm', version: '1', minPosition: '1' }],
  ['Version', version],
  [
    'Version',
    {
      ...version,
      source: { ...version.source, version: '1', integrity: 'i', url: 'u' },
      probe: { protocolVersion: 'p', clientCapabilities: {} },
      supplyChain: free,
      review: { verdict: 'approved', by: 'r', reason: '', at: 't', exceptions: ['signature_missing'] },
      trust: 'low',
      findings: [
        { detector: 'd', kind: 'override', path: '/instructions', span: [0, 1], severity: 'high' },
        {
          detector: 'd',
          kind: 'linear_model',
          path: '',
          severity: 'low',
          model: { score: 4.5, threshold: 4, spans: [[0, 2]] },
        },
      ],
      findingsLeftOut: 1,
      searchedBy: { instructions: digest, pack: digest },
      suspendedFor: ['h'],
    },
  ],
  ['ObserveVersionResponse', { definitionDigest: digest, status: 'approved', suspendedFor: [], position: '1' }],
  [
    'ObserveVersionResponse',
    { definitionDigest: digest, drift: free, probe: free, status: 'approved', suspendedFor: ['h'], position: '1' },
  ],
  ['AuthorizeResponse', answer],
  ['AuthorizeResponse', allow],
  [
    'AuthorizeStreamResponse',
    {
      answers: [
        { callId: uuid, decision: allow },
        { problem: { code: 'c', detail: '', errors: [{ path: '', message: 'm' }] } },
      ],
    },
  ],
  [
    'ValidateResponseResponse',
    {
      callId: uuid,
      verdict: 'accepted',
      content: {
        integrity: 'untrusted',
        source: { capability: 'm', version: '1', operation: 'o', server: { method: 'none', result: 'verified' } },
        boundary: '0',
        parts: [
          { type: 'text', text: '' },
          { type: 'structured', value: free },
          { type: 'structured', value: null },
          { type: 'blob', mimeType: 'm', size: 0, digest, data: '' },
        ],
        digest,
      },
      findings: [
        { detector: 'd', kind: 'k', path: '/a', span: [0, 5], severity: 'low' },
        { detector: 'd', kind: 'k', path: '', severity: 'high' },
      ],
      rawDigest: digest,
      position: '1',
    },
  ],
  ['ValidateResponseResponse', { callId: uuid, verdict: 'rejected', findings: [], rawDigest: digest, position: '1' }],
  [
    'ValidateResponseResponse',
    { callId: uuid, verdict: 'quarantined', findings: [], leftOut: 3, rawDigest: digest, position: '1', held: true },
  ],
  ['RecordOutcomeResponse', { callId: uuid, position: '1' }],
  [
    'Approval',
    {
      id: uuid,
      taskId: uuid,
      traceId: 't',
      callId: uuid,
      host: 'h',
      agent: 'a',
      user: 'u',
      capability: 'c',
      version: '1',
      operation: 'o',
      effects: ['write'],
      by: 'user',
      why: ['policy'],
      rule: 'r',
      arguments: { a: 1 },
      context: [{ id: 'c', source: 's', content: 'x' }],
      outbound: { redactions: [{ path: '/a', type: 'pii:email', count: 1 }], refusals: [] },
      taskStatus: 'open',
      requestedAt: 't',
      expiresAt: 'e',
      state: 'granted',
      decidedBy: 'd',
      decidedAt: 't',
      reason: 'r',
    },
  ],
  ['AskedApproval', { id: uuid, state: 'pending', by: 'user', why: ['tainted', 'flow'], url: 'u', expiresAt: 'e' }],
  ['OpenTaskResponse', { taskId: uuid, traceId: 't', pins, unresolved, expiresAt: 'e', epoch: 1, position: '1' }],
  [
    'Task',
    {
      taskId: uuid,
      traceId: 't',
      pins,
      unresolved,
      expiresAt: 'e',
      epoch: 1,
      host: 'h',
      agent: 'a',
      user: { id: 'u', pseudonym: 'p:x', roles: [], attributes: 'shredded', attestedBy: 'h' },
      purpose: '',
      scope: [{ capability: 'm', operations: [] }],
      status: 'open',
      integrity: 'tainted',
      taintedAt: 't',
    },
  ],
];

test('an answer is the same after the wire', () => {
  for (const [type, shape] of ANSWERS) assert.deepEqual(roundTrip(type, shape), shape);
});

test('every type of the proto takes part in a round trip', () => {
  const seen = new Set([
    'GetApprovalRequest',
    'GetTaskRequest',
    'GetResponseRequest',
    'AuthorizeStreamRequest',
    ...Object.keys(REQUESTS),
    ...ANSWERS.map(([type]) => type),
  ]);
  for (const type of seen) {
    const { field } = messageOf(fullName(type)).type as { field: { typeName: string }[] };
    for (const { typeName } of field) if (typeName !== '') seen.add(typeName);
  }
  assert.deepEqual(messageNames().sort(), [...seen].sort());
});

test('a pointer into a shape becomes one into its message, and stays as it is in JSON', () => {
  const paths = {
    '': '',
    '/callId': '/call_id',
    '/observed/server/method': '/observed/server/method',
    '/context/3/categories/1': '/context/values/3/categories/values/1',
    '/arguments/callId/0/taskId': '/arguments/callId/0/taskId',
    '/observed/probe/clientCapabilities/credentialScope': '/observed/probe/client_capabilities/credentialScope',
    '/nothing/taskId': '/nothing/taskId',
  };
  for (const [path, expected] of Object.entries(paths)) assert.equal(pathInMessage('AuthorizeRequest', path), expected);
  assert.equal(pathInMessage('OpenTaskRequest', '/scope/1/maxCalls'), '/scope/1/max_calls');
});

test('JSON is strict and within its depth in every field', () => {
  const read = (type: string, message: Record<string, unknown>) => () => fromMessage(type, message, { maxDepth: 3 });
  const refused = (code: string) => (error: unknown) => error instanceof Problem && error.code === code;
  const json = (text: string) => Buffer.from(text);
  assert.deepEqual(fromMessage('AuthorizeRequest', { arguments: json('{"a":{}}') }, { maxDepth: 3 }), {
    arguments: { a: {} },
  });
  assert.throws(read('AuthorizeRequest', { arguments: json('{"a":{"b":{}}}') }), refused('too_large'));
  assert.throws(read('AuthorizeRequest', { observed: { definition: json('{"a":{}}') } }), refused('too_large'));
  assert.throws(read('AuthorizeRequest', { arguments: json('{"a":1,"a":1}') }), refused('malformed_request'));
});
