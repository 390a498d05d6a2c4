import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { projectRoot } from '../support/root.js';
import { startService, type TestService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';

/** Each example runs as its README says, with a service that is running already. */
let service: TestService;
let work = '';
before(async () => {
  service = await startService();
  work = mkdtempSync(join(tmpdir(), 'sallyport-examples-'));
  const [start, setup] = commandsIn('README.md');
  assert.equal(start, 'npm start');
  const { code, out } = await ran(setup ?? '').ended;
  assert.equal(code, 0, out);
});
after(async () => {
  await service.stop();
  rmSync(work, { recursive: true, force: true });
});

/** The shell commands of a README, in order. */
function commandsIn(readme: string): string[] {
  const text = readFileSync(join(projectRoot, 'examples', readme), 'utf8');
  const commands = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, lines = '']) => lines.trim());
  assert.ok(commands.length > 0, readme);
  return commands;
}

interface Running {
  readonly process: ChildProcess;
  out(): string;
  readonly ended: Promise<{ readonly code: unknown; readonly out: string }>;
}

/** Runs a command of a README in the folder of the checkout. */
function ran(command: string): Running {
  const bin = join(projectRoot, 'node_modules', '.bin');
  const child = spawn('sh', ['-c', `exec ${command}`], {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}`,
      SALLYPORT_URL: service.url,
      SALLYPORT_DATA: service.dataDir,
      // Relative, as the default is.
      EXAMPLES_WORK: relative(projectRoot, work),
    },
  });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => ({ code, out }));
  return { process: child, out: () => out, ended };
}

test('an agent loop answers with the tools of two servers, which it sees as quoted evidence', async () => {
  const { code, out } = await ran(commandsIn('agent-loop/README.md')[0] ?? '').ended;
  assert.equal(code, 0, out);
  assert.match(out, /^tools: .*\bread_text_file\b.*\bget-sum$/m);
  assert.doesNotMatch(out, /^tools: .*\b(write_file|echo)\b/m);
  assert.match(out, /<<untrusted [0-9a-f]{32} files@\S+ read_text_file>>\nThe east gate opens at nine\./);
  assert.match(out, /<<untrusted [0-9a-f]{32} everything@\S+ get-sum>>\n.*\b10\b/);
  assert.match(out, /^answer: The east gate opens at nine\. The west gate opens at ten\.$/m);
});

test('a refusal is a result for the model, a sentence for a person, and an error where there is no result', async () => {
  const { code, out } = await ran(commandsIn('refusal/README.md')[0] ?? '').ended;
  assert.equal(code, 0, out);
  assert.match(out, /^model: \{"refused":true,"reason":"outside_task_scope","by":"service"/m);
  assert.match(out, /^person: write_file: The task does not cover this\./m);
  assert.match(out, /^model: \{"refused":true,"reason":"arguments_invalid".*\{"path":"\/head","keyword":"type"\}/m);
  assert.match(out, /^model: <<untrusted .* read_text_file>>\nThe east gate/m);
  assert.match(out, /^person: everything: The task does not use this server\./m);
});

test('a disable ends a call that is running, and the next call is refused', { timeoutMs: 120_000 }, async () => {
  const [host = '', disable = ''] = commandsIn('stop/README.md');
  const running = ran(host);
  try {
    while (!running.out().includes('the call is running')) {
      await Promise.race([once(running.process.stdout ?? running.process, 'data'), running.ended]);
      assert.equal(running.process.exitCode, null, running.out());
    }
    const operator = await ran(disable).ended;
    assert.equal(operator.code, 0, operator.out);
    const { code, out } = await running.ended;
    assert.equal(code, 0, out);
    assert.match(out, /^the call ended: disabled, refused by the host$/m);
    assert.match(out, /^the next call: disabled, refused by the service$/m);
  } finally {
    running.process.kill();
  }
});
