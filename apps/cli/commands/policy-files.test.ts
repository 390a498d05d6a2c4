import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../../../test/support/root.js';
import { run } from '../program.js';
import { EXIT } from '../world.js';
import { after, before, test } from '../../../test/support/testing.js';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'policy-files-'));
});
after(() => rmSync(folder, { recursive: true }));

/** A command line without a service: the environment names none, and no token. */
async function sallyport(args: readonly string[], stdin = '') {
  let [out, err] = ['', ''];
  const code = await run(args, {
    env: { SALLYPORT_URL: 'http://127.0.0.1:1' },
    cwd: folder,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    readStdin: () => Promise.resolve(stdin),
  });
  return { code, out, err };
}
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

test('a policy file without errors is checked without a service', async () => {
  cpSync(join(projectRoot, 'examples/policies/readers.cedar'), join(folder, 'readers.cedar'));
  const { code, out, err } = await sallyport(['policy', 'check', 'readers.cedar']);
  assert.deepEqual([code, out, err], [EXIT.done, 'readers.cedar: no errors\n', '']);
});

test('errors of a policy file are printed with line and column, and end with an exit code of their own', async () => {
  write(
    'wrong.cedar',
    '// é😀\nforbid(principal, action == Action::"wirte", resource)\n  when { context.arguements.force };\n',
  );
  const { code, out } = await sallyport(['policy', 'check', 'wrong.cedar']);
  assert.equal(code, EXIT.policyFailed);
  const lines = out.split('\n');
  assert.match(lines[0] ?? '', /^wrong\.cedar:2:29: error: unknown action Action::"wirte"; the actions are /);
  assert.match(lines[1] ?? '', /^wrong\.cedar:3:18: error: unknown attribute "arguements" of context/);
  const json = await sallyport(['policy', 'check', '-', '--json'], 'permit(principal,\n actoin, resource);');
  assert.equal(json.code, EXIT.policyFailed);
  const { errors, warnings } = JSON.parse(json.out) as { errors: { line: number; column: number }[]; warnings: [] };
  assert.deepEqual([errors[0]?.line, errors[0]?.column, warnings], [2, 2, []]);
});

test('with a copy of the registry, names that it does not have are warnings', async () => {
  const manifest = { operations: { recall: { effects: ['read'] } } };
  const listed = { id: 'memory', category: 'notes', versions: [{ manifest }] };
  const captured = { id: 'memory', category: 'notes', version: { manifest } };
  write(
    'named.cedar',
    `permit(principal, action, resource == Operation::"memory/recall") when { resource in Category::"notes" };
permit(principal, action, resource in Capability::"memroy");`,
  );
  for (const registry of [{ items: [listed] }, [listed], listed, captured]) {
    write('registry.json', JSON.stringify(registry));
    const { code, out } = await sallyport(['policy', 'check', 'named.cedar', '--registry', 'registry.json']);
    assert.equal(code, EXIT.done);
    assert.equal(
      out,
      'named.cedar:2:39: warning: no capability "memroy" is registered\nnamed.cedar: no errors\n',
      JSON.stringify(registry),
    );
  }
  write('registry.json', '{}');
  assert.equal((await sallyport(['policy', 'check', 'named.cedar', '--registry', 'registry.json'])).code, EXIT.usage);
});

test('the cases of the example pass without a service, and are reported as JUnit', async () => {
  const report = join(folder, 'report.xml');
  const { code, out } = await sallyport(['policy', 'test', join(projectRoot, 'examples/policies'), '--junit', report]);
  assert.equal(code, EXIT.done, out);
  assert.match(out, /^ok {3}readers\.yaml: an analyst reads a note$/m);
  assert.match(out, /^5 passed, 0 failed$/m);
  const xml = readFileSync(report, 'utf8');
  assert.match(xml, /<testsuites tests="5" failures="0">/);
  assert.match(xml, /<testcase name="an analyst reads a note" classname="readers.yaml"\/>/);
});

test('a case that is decided otherwise fails, by its decision or by its rule', async () => {
  const suite = join(folder, 'suite');
  cpSync(join(projectRoot, 'examples/policies'), suite, { recursive: true });
  const cases = readFileSync(join(suite, 'readers.yaml'), 'utf8')
    .replace('name: an analyst reads a note', 'name: an <analyst> & "others"')
    .replace('decision: allow', 'decision: deny')
    .replace('rule: no-force', 'rule: suspended');
  writeFileSync(join(suite, 'readers.yaml'), cases);
  const { code, out } = await sallyport(['policy', 'test', 'suite', '--junit', 'failed.xml']);
  assert.equal(code, EXIT.policyFailed);
  assert.match(out, /^FAIL readers\.yaml: an <analyst> & "others": expected deny, got allow by readers$/m);
  assert.match(out, /expected the rule "suspended", got "no-force"/);
  assert.match(out, /^3 passed, 2 failed$/m);
  const xml = readFileSync(join(folder, 'failed.xml'), 'utf8');
  assert.match(xml, /<testsuites tests="5" failures="2">/);
  assert.match(xml, /<testcase name="an &lt;analyst&gt; &amp; &quot;others&quot;" classname="readers.yaml"><failure/);
});

test('a file that cannot be run is a failure and not a pass', async () => {
  const broken = join(folder, 'broken');
  cpSync(join(projectRoot, 'examples/policies'), broken, { recursive: true });
  for (const [change, reason] of [
    [(yaml: string) => yaml.replace('policies: readers.cedar', 'policies: none.cedar'), /ENOENT/],
    [(yaml: string) => yaml.replace('decision: allow', 'decison: allow'), /cases\.0/],
    [(yaml: string) => yaml.replace('effects: [read]', 'effects: [raed]'), /cases\.0\.question\.effects/],
    [(yaml: string) => `${yaml}\ncases: []\n`, /unique/],
  ] as const) {
    const cases = readFileSync(join(projectRoot, 'examples/policies/readers.yaml'), 'utf8');
    writeFileSync(join(broken, 'readers.yaml'), change(cases));
    const { code, out } = await sallyport(['policy', 'test', 'broken']);
    assert.equal(code, EXIT.policyFailed);
    assert.match(out, reason);
  }
  cpSync(join(projectRoot, 'examples/policies/readers.yaml'), join(broken, 'readers.yaml'));
  writeFileSync(join(broken, 'readers.cedar'), 'permit(principal is Usr, action, resource);');
  assert.match((await sallyport(['policy', 'test', 'broken'])).out, /readers\.cedar:1:21: unknown entity type Usr/);
  assert.equal((await sallyport(['policy', 'test', 'nowhere'])).code, EXIT.usage);
});

test('a case may expect an approval, and a case without that names the approval that its allow needs', async () => {
  const held = join(folder, 'held');
  cpSync(join(projectRoot, 'examples/policies'), held, { recursive: true });
  writeFileSync(join(held, 'readers.cedar'), '@approval("user") permit(principal, action, resource);');
  const question = 'user: { id: a }, effects: [send], capability: mail, category: mail, operation: send';
  const of = (more: string) =>
    `policies: readers.cedar\ncases:\n  - { name: a letter, question: { ${question} }, decision: allow${more} }\n`;
  for (const [more, line] of [
    ['', /^ok {3}readers\.yaml: a letter \(needs an approval of user\)$/m],
    [', approval: user', /^ok {3}readers\.yaml: a letter \(needs an approval of user\)$/m],
    [', approval: none', /^FAIL readers\.yaml: a letter: expected the approval none, got user$/m],
  ] as const) {
    writeFileSync(join(held, 'readers.yaml'), of(more));
    assert.match((await sallyport(['policy', 'test', 'held'])).out, line);
  }
  writeFileSync(join(held, 'readers.cedar'), '@approval permit(principal, action, resource);');
  assert.match(
    (await sallyport(['policy', 'check', 'held/readers.cedar'])).out,
    /@approval has no grade; the grades are/,
  );
});
