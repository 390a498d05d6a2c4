import { join } from 'node:path';
import { parseEvent } from '../../libs/event-log/event.js';
import { everyEvent } from '../../libs/event-log/every-event.js';
import { openSqliteLog } from '../../libs/event-log/sqlite/sqlite-log.js';

export interface RecordedCall {
  readonly callId: string;
  readonly decision: 'allow' | 'deny';
  /** Size of its event. */
  readonly bytes: number;
}

/** The calls that the log of a stopped service holds as decided after a position, in their order. */
export async function* recordedCalls(dataDir: string, after = 0n): AsyncGenerator<RecordedCall> {
  const log = await openSqliteLog({ file: join(dataDir, 'sallyport.db') });
  try {
    for await (const { type, json } of everyEvent(log, { after, categories: ['calls'] })) {
      if (type !== 'CallDecided') continue;
      const { callId, decision } = parseEvent(json).data as Pick<RecordedCall, 'callId' | 'decision'>;
      yield { callId, decision, bytes: Buffer.byteLength(json) };
    }
  } finally {
    await log.close();
  }
}

/** How many of the calls whose allow was answered are not among those that were recorded as allowed. */
export async function notRecorded(
  recorded: AsyncIterable<RecordedCall> | Iterable<RecordedCall>,
  allowed: Iterable<string>,
): Promise<number> {
  const missing = new Set(allowed);
  for await (const { callId, decision } of recorded) {
    if (decision === 'allow') missing.delete(callId);
  }
  return missing.size;
}
