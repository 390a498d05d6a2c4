import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEvent } from '../../libs/event-log/event.js';
import { movableClock } from '../support/clock.js';
import { startService } from '../support/service.js';
import { GOLDEN } from './files.js';
import { liveThrough, relayThrough, restored } from './life.js';
import { publishedSchemas } from '../../libs/published/schemas.js';

/**
 * Writes a golden file for each event type and version that has none: the first such event in the life of a service. The
 * same for the schema of each published event. A file that is there is never written again.
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
    write(file, event);
  }
  mkdirSync(join(GOLDEN, 'published'), { recursive: true });
  for (const { name, schema } of publishedSchemas()) write(join(GOLDEN, 'published', `${name}.json`), schema);
} finally {
  await service.stop();
}

function write(file: string, document: unknown): void {
  if (existsSync(file)) return;
  writeFileSync(file, `${JSON.stringify(document, undefined, 2)}\n`);
  console.log(file);
}
