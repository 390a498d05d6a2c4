import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/root.js';
import { openTask, readyWorld } from '../support/world.js';
import { ended, place } from './child.js';
import { test } from '../support/testing.js';

test('whatever the umask is, the files of the data folder belong to their owner alone', async (t) => {
  const { dataDir, start } = place(t);
  const main = join(projectRoot, 'dist', 'apps', 'pdp', 'main.js');
  const service = await start({ command: ['sh', '-c', 'umask 0; exec "$0" "$@"', process.execPath, main] });
  await readyWorld(service);
  await openTask(service);
  const modes = readdirSync(dataDir).map((name) => [name, statSync(join(dataDir, name)).mode & 0o777]);
  assert.ok(modes.length > 5, modes.join());
  assert.deepEqual(
    modes.filter(([, mode]) => mode !== 0o600),
    [],
  );
  service.kill('SIGTERM');
  await ended(service);
});
