import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test, type TestContext } from '../support/testing.js';

const DEMO = fileURLToPath(new URL('../../apps/cli/demo.js', import.meta.url));

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-demo-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Runs the demonstration with a temp folder of its own, so that what it leaves behind is seen. */
async function demo(folder: string, args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [DEMO, ...args], {
    env: { ...process.env, TMPDIR: folder, NO_COLOR: '1', ...env },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, err };
}

test('the main job, on the real file server, from unregistered to replayed', async (t) => {
  const folder = temporary(t);
  const { code, out, err } = await demo(folder, []);
  assert.equal(code, 0, `${out}\n${err}`);
  const steps = [
    'is denied: capability_unregistered',
    'is denied: version_pending',
    'is denied: outside_user_authority',
    'read_text_file is allowed',
    'quoted evidence',
    'write_file is denied: outside_task_scope',
    'is denied: definition_drifted',
    'is denied: disabled',
    'allowed again',
    'all identical',
    '[redacted pii:card]',
    'only the ticket leaves',
    'the response is quarantined',
    'write_file is denied: approval_required, by the user',
    'and the file is written',
    'the approval is used up',
    'Every step ended as it should.',
  ];
  let from = 0;
  for (const step of steps) {
    const found = out.indexOf(step, from);
    assert.ok(found >= 0, `missing after ${from}: ${step}\n${out}`);
    from = found;
  }
  assert.match(
    out,
    /<<untrusted [0-9a-f]{32} demo-filesystem-\S+ read_text_file>>[^]*The east gate opens at nine[^]*<<end [0-9a-f]{32}>>/,
  );
  assert.doesNotMatch(out + err, /sallyport_[A-Za-z0-9_-]{20,}/, 'a token was printed');
  assert.deepEqual(readdirSync(folder), [], 'something was left behind');
});

test('a service that lets a stranger in fails the demonstration', async (t) => {
  const folder = temporary(t);
  const data = temporary(t);
  const roles = ['admin', 'registrar', 'reviewer', 'operator', 'auditor', 'host'];
  writeFileSync(join(data, 'tokens.json'), JSON.stringify(Object.fromEntries(roles.map((role) => [role, 'x']))));
  const server = createServer((_request, response) => {
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end('{"decision":"allow","reason":"ok","operation":"read_text_file"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { code, out, err } = await demo(folder, ['--server', url], { SALLYPORT_DATA: data });
  assert.equal(code, 1, out);
  assert.match(err, /denied: capability_unregistered\? No: \["allow","ok"\]/);
  assert.deepEqual(readdirSync(folder), [], 'something was left behind');
});
