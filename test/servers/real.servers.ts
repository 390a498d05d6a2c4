import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { table } from '../../apps/cli/print.js';
import { startService, type TestService } from '../support/service.js';
import { installed } from './install.js';
import { allowAll, notYet, travel, type Journey } from './journey.js';
import { placedIn, serversToTry } from './table.js';
import { after, before, test } from '../support/testing.js';

/**
 * Real servers by the steps of the tutorial: captured five times, registered, reviewed, connected to and called by the
 * SDK.
 */

const journeys: Journey[] = [];
let folder = '';
let service: TestService;

before(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-servers-')));
  writeFileSync(join(folder, 'a.txt'), 'hello\n');
  execFileSync('git', ['init', '--quiet', folder]);
  service = await startService();
  await allowAll(service, folder);
});

after(async () => {
  await service.stop();
  rmSync(folder, { recursive: true, force: true });
  const rows = journeys.map(({ name, tools, captured, registered, called, seconds }) => [
    name,
    String(tools),
    captured,
    registered,
    called,
    seconds.toFixed(1),
  ]);
  console.log(table([['server', 'tools', 'captured', 'registered', 'called', 'seconds'], ...rows]).join('\n'));
});

for (const row of serversToTry()) {
  test(`${row.name}@${row.version} (${row.registry})`, { timeoutMs: 600_000 }, async (t) => {
    const journey = notYet(row.name);
    journeys.push(journey);
    const program = await installed(row);
    if (typeof program !== 'string') return t.skip(program.unavailable);
    const begun = performance.now();
    try {
      await travel(service, placedIn(row, folder), program, folder, journey);
    } finally {
      journey.seconds = (performance.now() - begun) / 1000;
    }
  });
}
