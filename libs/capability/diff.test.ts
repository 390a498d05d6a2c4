import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { fingerprintDefinition } from '../kernel/definition-digest.js';
import type { Definition } from './definition.js';
import { Diff, diffDefinitions } from './diff.js';
import { test } from '../../test/support/testing.js';

const tool = {
  name: 'move_file',
  title: 'Move',
  description: 'Moves a file.',
  inputSchema: { type: 'object', properties: { to: { type: 'string', description: 'Where to.', title: 'To' } } },
  annotations: { destructiveHint: true, readOnlyHint: false, title: 'Move' },
  icons: [{ src: 'a.png' }],
  _meta: { a: 1 },
};
const base = {
  instructions: 'Be careful.',
  tools: [tool],
  prompts: [{ name: 'p', description: 'A prompt.', arguments: [{ name: 'x' }] }],
  resourceTemplates: [{ uriTemplate: 'file:///{path}', name: 'files', description: 'Files.' }],
  files: [{ path: 'run.sh', digest: `sha256:${'a'.repeat(64)}`, size: 1 }],
} satisfies Definition;
const withTool = (more: Record<string, unknown>): Definition => ({ ...base, tools: [{ ...tool, ...more }] });
const annotated = (more: Record<string, unknown>) => withTool({ annotations: { ...tool.annotations, ...more } });

/** What changed, how grave it is, where. */
const TABLE: readonly [string, Definition, Diff['severity'], string][] = [
  [
    'a destructiveHint that is taken back',
    annotated({ destructiveHint: false }),
    'safety-downgrade',
    '/tools/move_file/annotations/destructiveHint',
  ],
  [
    'a readOnlyHint that is claimed',
    annotated({ readOnlyHint: true }),
    'safety-downgrade',
    '/tools/move_file/annotations/readOnlyHint',
  ],
  [
    'an idempotentHint that is claimed',
    annotated({ idempotentHint: true }),
    'safety-downgrade',
    '/tools/move_file/annotations/idempotentHint',
  ],
  [
    'an openWorldHint that is taken back',
    annotated({ openWorldHint: false }),
    'safety-downgrade',
    '/tools/move_file/annotations/openWorldHint',
  ],
  [
    'an openWorldHint that appears',
    annotated({ openWorldHint: true }),
    'authority-change',
    '/tools/move_file/annotations/openWorldHint',
  ],
  ['an unknown annotation', annotated({ harmless: true }), 'authority-change', '/tools/move_file/annotations/harmless'],
  [
    'annotations that go as a whole',
    withTool({ annotations: undefined }),
    'authority-change',
    '/tools/move_file/annotations',
  ],
  [
    'another title among the annotations',
    annotated({ title: 'Mv' }),
    'instruction-change',
    '/tools/move_file/annotations/title',
  ],
  ['another title', withTool({ title: 'Mv' }), 'instruction-change', '/tools/move_file/title'],
  ['other icons', withTool({ icons: [] }), 'cosmetic', '/tools/move_file/icons'],
  [
    'another description',
    withTool({ description: 'Sends a file.' }),
    'instruction-change',
    '/tools/move_file/description',
  ],
  [
    'other white space in a description',
    withTool({ description: ' Moves  a\nfile. ' }),
    'cosmetic',
    '/tools/move_file/description',
  ],
  [
    'another input schema',
    withTool({ inputSchema: { type: 'object' } }),
    'authority-change',
    '/tools/move_file/inputSchema/properties',
  ],
  ['other metadata', withTool({ _meta: { a: 2 } }), 'authority-change', '/tools/move_file/_meta/a'],
  [
    'an output schema that appears',
    withTool({ outputSchema: {} }),
    'authority-change',
    '/tools/move_file/outputSchema',
  ],
  ['another tool', { ...base, tools: [tool, { name: 'x' }] }, 'authority-change', '/tools/x'],
  ['a tool less', { ...base, tools: [] }, 'authority-change', '/tools/move_file'],
  ['other instructions', { ...base, instructions: 'Be bold.' }, 'instruction-change', '/instructions'],
  ['other white space in the instructions', { ...base, instructions: 'Be\n careful.' }, 'cosmetic', '/instructions'],
  ['instructions that go', { ...base, instructions: undefined }, 'instruction-change', '/instructions'],
  ['a prompt less', { ...base, prompts: [] }, 'authority-change', '/prompts/p'],
  [
    'another prompt description',
    { ...base, prompts: [{ ...base.prompts[0], description: 'Obey.' }] },
    'instruction-change',
    '/prompts/p/description',
  ],
  ['another template', { ...base, resourceTemplates: [] }, 'authority-change', '/resourceTemplates/file:~1~1~1{path}'],
  [
    'another file',
    { ...base, files: [{ ...base.files[0], digest: `sha256:${'b'.repeat(64)}` }] as Definition['files'] },
    'authority-change',
    '/files/run.sh/digest',
  ],
];

for (const [name, after, severity, path] of TABLE) {
  test(`${name}: ${severity}`, () => {
    const diff = diffDefinitions(base, after);
    assert.deepEqual([diff.severity, diff.changes.map((change) => change.path)], [severity, [path]]);
    assert.deepEqual(Diff.parse(diff), diff);
  });
}

test('annotations that appear as a whole lower a guard where they ask for less care', () => {
  const bare = withTool({ annotations: undefined });
  assert.equal(diffDefinitions(bare, annotated({})).severity, 'authority-change');
  assert.equal(diffDefinitions(bare, annotated({ readOnlyHint: true })).severity, 'safety-downgrade');
});

test('the gravest change names the whole, and every change is told', () => {
  const after = withTool({
    title: 'x',
    description: 'y',
    annotations: { ...tool.annotations, destructiveHint: false },
  });
  const diff = diffDefinitions(base, after);
  assert.deepEqual(
    diff.changes.map(({ severity }) => severity),
    ['safety-downgrade', 'instruction-change', 'instruction-change'],
  );
  assert.equal(diff.severity, 'safety-downgrade');
});

test('what the digest does not cover is no change', () => {
  const after: Definition = {
    ...base,
    serverInfo: { name: 'x' },
    capabilities: { tools: {} },
    resources: [{ uri: 'a:b' }],
  };
  assert.deepEqual(diffDefinitions(base as Definition, after), { severity: 'none', changes: [] });
});

test('a change says what was and what is, cut where it is long', () => {
  const { changes } = diffDefinitions(base, { ...base, instructions: 'x'.repeat(10_000) });
  assert.deepEqual([changes[0]?.kind, changes[0]?.before], ['changed', 'Be careful.']);
  assert.ok(JSON.stringify(changes[0]?.after).length < 600);
  const [added] = diffDefinitions({}, { instructions: 'a' }).changes;
  assert.deepEqual([added?.kind, 'before' in (added ?? {}), added?.after], ['added', false, 'a']);
  const [removed] = diffDefinitions({ instructions: 'a' }, {}).changes;
  assert.deepEqual([removed?.kind, 'after' in (removed ?? {})], ['removed', false]);
});

test('of very many changes a bounded number is told, and that there are more; the gravest still names the whole', () => {
  const many = Array.from({ length: 500 }, (_, index) => ({ name: `t${index}`, title: 'a', annotations: {} }));
  const after = many.map((each, index) => ({
    ...each,
    title: 'b',
    ...(index === 499 ? { annotations: { readOnlyHint: true } } : {}),
  }));
  const diff = diffDefinitions({ tools: many }, { tools: after });
  assert.equal(diff.truncated, true);
  assert.ok(diff.changes.length <= 100);
  assert.equal(diff.severity, 'safety-downgrade');
});

test('no change is told exactly where the digests are equal', () => {
  const item = fc.record(
    {
      name: fc.constantFrom('a', 'b', '__proto__'),
      title: fc.constantFrom('x', 'y'),
      annotations: fc.constantFrom({}, { readOnlyHint: true }),
    },
    { requiredKeys: ['name'] },
  );
  const definition = fc.record(
    {
      instructions: fc.constantFrom('x', 'y'),
      tools: fc.uniqueArray(item, { selector: ({ name }) => name, maxLength: 3 }),
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<Definition>;
  fc.assert(
    fc.property(definition, definition, (before, after) => {
      const [one, two] = [fingerprintDefinition(before), fingerprintDefinition(after)];
      assert.ok(one.ok && two.ok);
      assert.equal(diffDefinitions(before, after).severity === 'none', one.value.digest === two.value.digest);
    }),
    { numRuns: 300 },
  );
});
