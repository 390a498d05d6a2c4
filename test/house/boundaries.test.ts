import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync, cpSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { projectRoot } from '../support/root.js';
import { after, describe, test } from '../support/testing.js';

/**
 * Each boundary rule is broken once on purpose, in a small copy of the layout, and has to be found. A rule without a
 * planted violation is a rule that nobody knows to work.
 */
const PLANTED: Record<string, { from: string; text: string; also?: Record<string, string> }> = {
  'no-circles': {
    from: 'libs/audit/a.ts',
    text: `import { b } from './b.js';\nexport const a = () => b;\n`,
    also: { 'libs/audit/b.ts': `import { a } from './a.js';\nexport const b = () => a;\n` },
  },
  'no-circles-of-files': {
    from: 'libs/audit/a.ts',
    text: `import type { B } from './b.js';\nexport type A = B | 1;\n`,
    also: { 'libs/audit/b.ts': `import type { A } from './a.js';\nexport type B = A | 2;\n` },
  },
  'no-circles-of-folders': {
    from: 'libs/audit/a.ts',
    text: `export type { B } from '../task/b.js';\n`,
    also: { 'libs/task/b.ts': `export type B = 1;\n`, 'libs/task/c.ts': `export { x } from '../audit/x.js';\n` },
  },
  'nothing-imports-apps': { from: 'libs/audit/a.ts', text: `export { x } from '../../apps/pdp/x.js';\n` },
  'apps-stand-alone': { from: 'apps/cli/a.ts', text: `export { x } from '../pdp/x.js';\n` },
  'kernel-imports-nothing': { from: 'libs/kernel/a.ts', text: `export { x } from '../audit/x.js';\n` },
  'rules-are-pure': { from: 'libs/decision/a.ts', text: `export { x } from '../event-log/x.js';\n` },
  'rules-have-no-randomness': { from: 'libs/task/a.ts', text: `export { randomUUID } from 'node:crypto';\n` },
  'proofs-are-pure': { from: 'libs/transparency/a.ts', text: `export { x } from 'node:fs';\n` },
  'adapters-stand-alone': {
    from: 'libs/event-log/sqlite/a.ts',
    text: `export { x } from '../memory/x.js';\n`,
  },
  'adapters-are-composed-in-apps': {
    from: 'libs/audit/a.ts',
    text: `export { x } from '../event-log/sqlite/x.js';\n`,
  },
  'kafka-is-behind-one-library': { from: 'libs/audit/a.ts', text: `export { Kafka } from 'kafkajs';\n` },
  'deciders-know-no-decision': { from: 'libs/task/a.ts', text: `export { x } from '../decision/x.js';\n` },
  'catalogue-knows-rules-alone': { from: 'libs/streams/a.ts', text: `export { x } from '../audit/x.js';\n` },
  'logs-know-no-catalogue': {
    from: 'libs/event-log/a.ts',
    text: `export { x } from '../streams/x.js';\n`,
    also: { 'libs/streams/x.ts': 'export const x = 1;\n' },
  },
  'hosts-stand-alone': {
    from: 'libs/host/a.ts',
    text: `export { x } from '../decision-point/x.js';\n`,
    also: { 'libs/decision-point/x.ts': 'export const x = 1;\n' },
  },
  'no-frameworks-in-libs': { from: 'libs/audit/a.ts', text: `export { Module } from '@nestjs/common';\n` },
};

const TARGETS = [
  'apps/pdp/x.ts',
  'libs/audit/x.ts',
  'libs/decision/x.ts',
  'libs/event-log/x.ts',
  'libs/event-log/memory/x.ts',
  'libs/event-log/sqlite/x.ts',
];

const folder = mkdtempSync(join(tmpdir(), 'sallyport-boundaries-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const CONFIGS = ['.dependency-cruiser.cjs', '.dependency-cruiser.circles.cjs'];

async function rulesOf(config: string): Promise<string[]> {
  const { default: read } = (await import(join(projectRoot, config))) as {
    default: { forbidden: { name: string }[] };
  };
  return read.forbidden.map(({ name }) => name);
}

const rules = new Map(await Promise.all(CONFIGS.map(async (config) => [config, await rulesOf(config)] as const)));

/** The names of the rules that the checker reports for a copy of the layout with these files. */
function violations(name: string, files: Record<string, string>, config: string): string[] {
  const root = join(folder, name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  for (const file of [...CONFIGS, 'tsconfig.json', 'package.json']) cpSync(join(projectRoot, file), join(root, file));
  symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'));
  const args = ['--config', config, '--output-type', 'json', 'apps', 'libs'];
  const { stdout } = spawnSync(join(root, 'node_modules/.bin/depcruise'), args, { cwd: root, encoding: 'utf8' });
  const report = JSON.parse(stdout) as { summary: { violations: { rule: { name: string } }[]; totalCruised: number } };
  assert.ok(report.summary.totalCruised >= TARGETS.length, 'the checker saw nothing');
  return report.summary.violations.map((violation) => violation.rule.name);
}

const layout = Object.fromEntries(TARGETS.map((path) => [path, 'export const x = 1;\n']));

describe('import boundaries', () => {
  for (const config of CONFIGS) {
    test(`a layout without a violation is clean for ${config}`, () => {
      assert.deepEqual(violations(`clean-${config}`, layout, config), []);
    });
  }
  for (const [rule, { from, text, also = {} }] of Object.entries(PLANTED)) {
    test(`${rule} is found where it is broken`, () => {
      const config = CONFIGS.find((each) => rules.get(each)?.includes(rule)) ?? '';
      assert.ok(violations(rule, { ...layout, ...also, [from]: text }, config).includes(rule));
    });
  }
  test('the checks run with every config', () => {
    const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    for (const config of CONFIGS) assert.match(scripts['check:boundaries'] ?? '', new RegExp(`--config ${config} `));
    assert.match(scripts['check'] ?? '', /npm run check:boundaries/);
  });
  test('every rule has its planted violation', () => {
    assert.deepEqual([...rules.values()].flat().sort(), Object.keys(PLANTED).sort());
  });
});
