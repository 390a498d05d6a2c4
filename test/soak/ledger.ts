import { join } from 'node:path';
import { parseEvent } from '#libs/event-log/event.js';
import { everyEvent } from '#libs/event-log/every-event.js';
import { openSqliteLog } from '#libs/event-log/sqlite/sqlite-log.js';

/** How many of the calls whose allow was answered the log does not hold as allowed; the service has to be stopped. */
export async function notRecorded(dataDir: string, allowed: ReadonlySet<string>): Promise<number> {
  const missing = new Set(allowed);
  const log = await openSqliteLog({ file: join(dataDir, 'sallyport.db') });
  try {
    for await (const { type, json } of everyEvent(log, { after: 0n, categories: ['calls'] })) {
      if (type !== 'CallDecided') continue;
      const { callId, decision } = parseEvent(json).data as { callId: string; decision: string };
      if (decision === 'allow') missing.delete(callId);
    }
    return missing.size;
  } finally {
    await log.close();
  }
}
