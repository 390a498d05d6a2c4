import assert from 'node:assert/strict';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { commandReference } from '../../apps/cli/reference.js';
import { SETTINGS, settingsTable } from '../../apps/pdp/settings.js';
import { operationsTable } from '../../libs/contract/operations-table.js';
import { PROBLEMS } from '../../libs/contract/problem.js';
import { CheckName, ReasonCode, Role } from '../../libs/vocabulary/words.js';
import { projectRoot } from '../support/root.js';
import { textOf, tracked } from './files.js';
import { test } from '../support/testing.js';

/** Documents agree with the code. Their lists are compared with the code's own tables. */

const MAX_README_BYTES = 8000;

/** The codes of a table between two markers, row by row: the words in backticks of one column. */
function tableOf(path: string, name: string, column: number): string[][] {
  const [, part = ''] = textOf(path).split(new RegExp(`<!-- ${name}:(?:begin|end) -->`));
  const rows = part.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('|-'));
  return rows
    .slice(1)
    .map((row) => [...(row.split('|')[column] ?? '').matchAll(/`([^`]+)`/g)].map(([, code = '']) => code));
}

test('README.md is short', () => {
  assert.ok(Buffer.byteLength(textOf('README.md')) <= MAX_README_BYTES);
});

test('docs/operate/settings.md has the table of settings that the service reads', () => {
  assert.ok(textOf('docs/operate/settings.md').includes(settingsTable()), 'npm run docs:settings writes it');
  assert.ok(Object.keys(SETTINGS).length > 0);
});

test('docs/reference/cli.md has the help of every command', async () => {
  assert.ok(textOf('docs/reference/cli.md').includes(await commandReference()), 'npm run docs:cli writes it');
});

test('docs/concepts.md has every check in order, every reason code and every role', () => {
  const concepts = textOf('docs/concepts.md');
  assert.deepEqual(tableOf('docs/concepts.md', 'checks', 1).flat(), CheckName.options);
  const missing = ReasonCode.options.filter((code) => !concepts.includes(`\`${code}\``));
  assert.deepEqual(missing, []);
  assert.deepEqual(
    tableOf('docs/concepts.md', 'checks', 3)
      .flat()
      .filter((code) => !ReasonCode.safeParse(code).success),
    [],
  );
  assert.deepEqual(
    Role.options.filter((role) => !concepts.includes(`| \`${role}\` |`)),
    [],
  );
});

test('docs/reference/http.md has every operation, and every problem code with its status', () => {
  const page = textOf('docs/reference/http.md');
  assert.ok(page.includes(operationsTable()), 'npm run docs:http writes it');
  const documented = [...page.matchAll(/^\| (\d{3}) \| `(\w+)` \|/gm)].map(([, status, code]) => [
    code,
    Number(status),
  ]);
  const known = Object.entries(PROBLEMS).map(([code, { status }]) => [code, status]);
  assert.deepEqual(Object.fromEntries(documented), Object.fromEntries(known));
});

test('docs/reference/events.md has every event type that was ever written', () => {
  const golden = readdirSync(join(projectRoot, 'test/golden/events')).map((name) => name.split('.')[0]);
  assert.deepEqual(tableOf('docs/reference/events.md', 'events', 1).flat().sort(), [...new Set(golden)].sort());
});

test('every relative link of a document leads to a file, and to a heading of it', () => {
  const broken = tracked('.md').flatMap((path) =>
    [...withoutFences(textOf(path)).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = '']) => link)
      .filter((link) => !/^[a-z]+:/.test(link) && !leads(path, link))
      .map((link) => `${path}: ${link}`),
  );
  assert.deepEqual(broken, []);
});

test('every path that a document names exists', () => {
  const tops = new Set(readdirSync(projectRoot).filter((name) => statSync(join(projectRoot, name)).isDirectory()));
  const missing = tracked('.md').flatMap((path) =>
    [...withoutFences(textOf(path)).matchAll(/`([\w.-]+\/[\w./-]+?)\/?`/g)]
      .map(([, named = '']) => named)
      .filter((named) => tops.has(named.split('/')[0] ?? '') && !isMade(named) && !existsSync(join(projectRoot, named)))
      .map((named) => `${path}: ${named}`),
  );
  assert.deepEqual(missing, []);
});

test('every metric and setting that a document names is in the sources', () => {
  const sources = tracked('.ts')
    .filter((path) => /^(apps|libs)\//.test(path))
    .map(textOf)
    .join('\n');
  const unknown = tracked('.md')
    .filter((path) => path !== 'CHANGELOG.md')
    .flatMap((path) =>
      [...textOf(path).matchAll(/\b(?:sallyport_[a-z_]+[a-z]|SALLYPORT_[A-Z_]+[A-Z])\b/g)]
        .map(([name]) => name)
        .filter((name) => !sources.includes(name) && !sources.includes(laneMetric(name)))
        .filter((name) => !/^SALLYPORT_(?:(?:TEST|FUZZ|BENCH)_|CORPORA$)/.test(name))
        .map((name) => `${path}: ${name}`),
    );
  assert.deepEqual(unknown, []);
});

/** How `apps/pdp/relay` writes the name of a lane's metric. */
const laneMetric = (name: string): string => name.replace(/^sallyport_relay_(events|directives)_/, '${prefix}_');

/** Files that a build or a start creates are not in a fresh checkout. */
const isMade = (path: string): boolean => /^(data|dist|node_modules|deploy\/certs|examples\/work)(\/|$)/.test(path);

const withoutFences = (document: string): string => document.replaceAll(/^\s*```[\s\S]*?^\s*```/gm, '');

function leads(from: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? from : normalize(join(dirname(from), path));
  if (!existsSync(join(projectRoot, target))) return false;
  return anchor === undefined || headingsOf(textOf(target)).includes(anchor);
}

/** The anchors that GitHub makes of headings. */
function headingsOf(document: string): string[] {
  return [...withoutFences(document).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  );
}
