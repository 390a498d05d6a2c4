import assert from 'node:assert/strict';
import type { Json, JsonObject } from '../kernel/canonical-json.js';
import { digestOf } from '../kernel/digest.js';
import { validateResponse, type ResponseInput } from './response.js';
import { createSchemaValidator } from './schema/schema-validator.js';
import { describe, test } from '../../test/support/testing.js';

const base = {
  source: {
    capability: 'memory',
    version: '1.0.0',
    operation: 'read',
    server: { method: 'package', result: 'verified' },
  },
  limits: { maxBytes: 2000, maxDepth: 8, maxParts: 4 },
  boundarySeed: () => 'd41d8cd98f00b204e9800998ecf8427e',
  validator: createSchemaValidator({ maxCompiled: 4 }),
} as const;
const schema = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] };
const outputSchema = { digest: digestOf(schema), load: (): Json => schema };
const nested = (levels: number): Json => (levels === 0 ? 1 : [nested(levels - 1)]);

const accepted: Record<string, Partial<ResponseInput>> = {
  'a result': { result: { content: [{ type: 'text', text: 'hi' }] } },
  'an error': { error: { code: 1, message: 'no' } },
  'a result that matches its schema': { result: { content: [], structuredContent: { n: 1 } }, outputSchema },
  'what is no tool result, and matches its schema as a whole': { result: { n: 1 }, outputSchema },
  "a tool's own error, whatever the schema": { result: { content: [], isError: true }, outputSchema },
  'a JSON-RPC error, whatever the schema': { error: { code: 1, message: 'no' }, outputSchema },
};

const high = { severity: 'high' } as const;
const refused: Record<string, { input: Partial<ResponseInput>; finding: object }> = {
  'neither result nor error': { input: {}, finding: { detector: 'response/malformed', kind: 'failure', path: '' } },
  'result and error': {
    input: { result: {}, error: {} },
    finding: { detector: 'response/malformed', kind: 'failure', path: '' },
  },
  'too deep': { input: { result: { a: nested(8) } }, finding: { detector: 'caps/too_deep', kind: 'cap', path: '' } },
  'far too deep': {
    input: { result: { a: nested(3000) } },
    finding: { detector: 'caps/too_deep', kind: 'cap', path: '' },
  },
  'too large, in bytes': {
    input: { result: { a: 'é'.repeat(1000) } },
    finding: { detector: 'caps/too_large', kind: 'cap', path: '' },
  },
  'too many parts': {
    input: { result: { content: Array.from({ length: 5 }, () => ({ type: 'text', text: '' })) } },
    finding: { detector: 'caps/too_many_parts', kind: 'cap', path: '' },
  },
  'structured content of another shape': {
    input: { result: { structuredContent: { n: 'secret' } }, outputSchema },
    finding: { detector: 'output_schema/type', kind: 'schema', path: '/structuredContent/n' },
  },
  'no structured content where a schema asks for it': {
    input: { result: { content: [{ type: 'text', text: '{"n":1}' }] }, outputSchema },
    finding: { detector: 'output_schema/missing', kind: 'schema', path: '/structuredContent' },
  },
  'what is no tool result, and does not match its schema': {
    input: { result: { n: 'secret' }, outputSchema },
    finding: { detector: 'output_schema/type', kind: 'schema', path: '/n' },
  },
  'isError that is not true': {
    input: { result: { isError: 'true', content: [] }, outputSchema },
    finding: { detector: 'output_schema/missing', kind: 'schema', path: '/structuredContent' },
  },
  'a schema that cannot be vetted': {
    input: {
      result: { structuredContent: {} },
      outputSchema: { digest: digestOf({ $ref: 'x' }), load: () => ({ $ref: 'x' }) },
    },
    finding: { detector: 'output_schema/schema_refused', kind: 'schema', path: '/structuredContent' },
  },
  'a schema that cannot be loaded': {
    input: {
      result: { structuredContent: {} },
      outputSchema: {
        digest: digestOf('nowhere'),
        load: () => {
          throw new Error('disk');
        },
      },
    },
    finding: { detector: 'output_schema/exception', kind: 'schema', path: '/structuredContent' },
  },
  'keys that collide when cleaned': {
    input: { result: { a: { b: 1, 'b\u200b': 2 } } },
    finding: { detector: 'envelope/key_collision', kind: 'failure', path: '/*' },
  },
  'no boundary': {
    input: { result: {}, boundarySeed: () => 'x' },
    finding: { detector: 'envelope/boundary', kind: 'failure', path: '' },
  },
  'a validator that throws': {
    input: {
      result: { structuredContent: {} },
      outputSchema,
      validator: {
        validate: () => {
          throw new Error('broken');
        },
      },
    },
    finding: { detector: 'response/exception', kind: 'failure', path: '' },
  },
  'a circle in memory': {
    input: { result: circle() },
    finding: { detector: 'caps/too_deep', kind: 'cap', path: '' },
  },
};

function circle(): JsonObject {
  const self: { self?: JsonObject } = {};
  self.self = self;
  return self;
}

describe('validateResponse', () => {
  for (const [name, input] of Object.entries(accepted)) {
    test(`accepts ${name}, in an envelope`, () => {
      const { verdict, content, findings } = validateResponse({ ...base, ...input });
      assert.equal(verdict, 'accepted');
      assert.equal(content?.integrity, 'untrusted');
      assert.deepEqual(findings, []);
    });
  }

  for (const [name, { input, finding }] of Object.entries(refused)) {
    test(`refuses ${name}, and delivers nothing`, () => {
      assert.deepEqual(validateResponse({ ...base, ...input }), {
        verdict: 'rejected',
        findings: [{ ...finding, ...high }],
      });
    });
  }

  test('checks caps before the schema is even loaded', () => {
    let loaded = false;
    const load = (): Json => ((loaded = true), schema);
    validateResponse({
      ...base,
      result: { structuredContent: nested(9) },
      outputSchema: { digest: digestOf(schema), load },
    });
    assert.equal(loaded, false);
  });

  test('validates what the server sent, not what cleaning makes of it', () => {
    const strict = { properties: { a: { const: 'x' } } };
    const result = { structuredContent: { a: 'x\u200b' } };
    const answer = validateResponse({
      ...base,
      result,
      outputSchema: { digest: digestOf(strict), load: () => strict },
    });
    assert.equal(answer.verdict, 'rejected');
  });
});
