import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../support/root.js';
import { startService, type TestService } from '../support/service.js';
import { after, before, test, type TestContext } from '../support/testing.js';
import { expecting } from '../support/world.js';
import { commandsOf, copied, environment, GO_UNAVAILABLE, ran, type Ran } from './place.js';

/** The Go example runs as its README says, and refuses what is stopped. */

let service: TestService;
let folder = '';
let example = '';
let made: Ran;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-go-'));
  example = copied('go', folder);
  service = await startService();
  const setup = await ran('node examples/setup.mjs', environment(service, folder));
  assert.equal(setup.code, 0, setup.err);
  made = await command(0);
});
after(async () => {
  await service.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs one command of the README in the copy. */
function command(index: number): Promise<Ran> {
  const line = commandsOf('go')[index] ?? '';
  const here = line
    .replace('cd examples/go', `cd ${example}`)
    .replaceAll('../../proto', join(projectRoot, 'proto'))
    // Outside of the checkout npx does not find it; it is in the path.
    .replace('npx buf', 'buf');
  assert.notEqual(here, line);
  return ran(here, { ...environment(service, folder), EXAMPLES_ROOT: projectRoot });
}

function ready(t: TestContext): void {
  if (made.code !== 0 && GO_UNAVAILABLE.test(made.err)) t.skip(`Go or its modules cannot be had here: ${made.err}`);
  assert.equal(made.code, 0, made.err);
}

test('one call to a real server', async (t) => {
  ready(t);
  const { code, out, err } = await command(1);
  assert.equal(code, 0, err);
  assert.match(
    out,
    /^\$connect: allow \(ok\)\n\$connect: allow \(ok\)\nread_text_file: allow \(ok\)\nresponse: accepted\n<<untrusted .*\nThe east gate/,
  );
  const path = '/v1/audit/calls?capability=files&decision=allow';
  assert.equal(expecting(200, await service.call('auditor', 'GET', path)).items.length, 3);
});

test('a capability that is stopped is refused before the server is started', async (t) => {
  ready(t);
  const target = { type: 'capability', capability: 'files' };
  expecting(201, await service.call('operator', 'POST', '/v1/directives', { target, reason: 'r' }));
  const { code, out } = await command(1);
  assert.deepEqual([code, out], [1, '$connect: deny (disabled)\n']);
});
