import { join } from 'node:path';
import { parseEvent } from '#libs/event-log/event.js';
import { openSqliteLog } from '#libs/event-log/sqlite/sqlite-log.js';

/** How many of the calls whose allow was answered the log does not hold as allowed; the service has to be stopped. */
export async function notRecorded(dataDir: string, allowed: ReadonlySet<string>): Promise<number> {
  const missing = new Set(allowed);
  const log = await openSqliteLog({ file: join(dataDir, 'sallyport.db') });
  try {
    for (let after = 0n; ;) {
      const events = await log.readAll({ after, categories: ['calls'] });
      if (events.length === 0) return missing.size;
      for (const { type, json, position } of events) {
        after = position;
        if (type !== 'CallDecided') continue;
        const { callId, decision } = parseEvent(json).data as { callId: string; decision: string };
        if (decision === 'allow') missing.delete(callId);
      }
    }
  } finally {
    await log.close();
  }
}
