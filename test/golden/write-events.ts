import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEvent } from '../../libs/event-log/event.js';
import { movableClock } from '../support/clock.js';
import { startService } from '../support/service.js';
import { GOLDEN } from './files.js';
import { liveThrough, relayThrough, restored } from './life.js';

/**
 * Writes a golden file for each event type and version that has none: the first such event in the life of a service. A
 * file that is there is never written again.
 */
const clock = movableClock();
const service = await startService({ clock });
try {
  await liveThrough(service, clock);
  await relayThrough(service);
  await restored(service);
  for (const { json } of await service.service.stores.log.readAll({ after: 0n, limit: 10_000 })) {
    const event = parseEvent(json);
    const file = join(GOLDEN, 'events', `${event.type}.v${event.schemaVersion}.json`);
    if (existsSync(file)) continue;
    writeFileSync(file, `${JSON.stringify(event, undefined, 2)}\n`);
    console.log(file);
  }
} finally {
  await service.stop();
}
