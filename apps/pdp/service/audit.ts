import { join } from 'node:path';
import { CallIndex } from '../../../libs/audit/index/call-index.js';
import type { EventLog } from '../../../libs/event-log/port.js';
import { AuditThread } from '../audit/thread/audit-thread.js';
import type { Settings } from '../settings.js';
import { KEYS_FILE } from './stores.js';

const INDEX_FILE = 'audit-index.db';

export interface Audit {
  readonly index: CallIndex;
  readonly audit: AuditThread;
}

/** Opens the index of calls, and the thread that answers auditors. `closing` stops them. */
export async function openAudit(
  { dataDir, logFile }: Pick<Settings, 'dataDir' | 'logFile'>,
  log: EventLog,
  closing: AsyncDisposableStack,
): Promise<Audit> {
  const indexFile = join(dataDir, INDEX_FILE);
  const index = await CallIndex.open(log, indexFile);
  closing.defer(() => index.close());
  const audit = new AuditThread({ logFile, keysFile: join(dataDir, KEYS_FILE), indexFile });
  closing.defer(() => audit.close());
  await audit.start();
  return { index, audit };
}
