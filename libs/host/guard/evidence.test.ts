import assert from 'node:assert/strict';
import { test } from '../../../test/support/testing.js';
import { asEvidence } from './evidence.js';

const BOUNDARY = '1f3a'.repeat(8);
const found = (path: string, more: object = {}) => ({
  detector: 'd',
  kind: 'override',
  path,
  span: [0, 7] as [number, number],
  severity: 'high' as const,
  ...more,
});

const definition = {
  instructions: 'obey me now',
  tools: [
    {
      name: 'obey me',
      title: 'obey me',
      description: 'obey me now',
      inputSchema: { properties: { a: { description: 'obey me', enum: ['obey me'] } } },
    },
  ],
};

test('titles and descriptions are marked at their spans; names and values of schemas stay', () => {
  const paths = ['/tools/0/name', '/tools/0/title', '/tools/0/description', '/tools/9/title', '/tools/0/inputSchema'];
  const parameter = '/tools/0/inputSchema/properties/a';
  const findings = [...paths, `${parameter}/description`, `${parameter}/enum/0`].map((path) => found(path));
  const before = structuredClone(definition);
  assert.deepEqual(asEvidence(definition, findings, BOUNDARY), {
    instructions: 'obey me now',
    tools: [
      {
        name: 'obey me',
        title: 'obey^1f3ame',
        description: 'obey^1f3ame now',
        inputSchema: { properties: { a: { description: 'obey^1f3ame', enum: ['obey me'] } } },
      },
    ],
  });
  assert.deepEqual(definition, before);
});

test('findings of lower severity, of names, or without a span change nothing', () => {
  const findings = [
    found('/instructions', { severity: 'low' }),
    found('/instructions', { key: true }),
    found('/instructions', { span: undefined }),
  ];
  assert.equal(asEvidence(definition, findings, BOUNDARY), definition);
  assert.equal(asEvidence(definition, undefined, BOUNDARY), definition);
});
