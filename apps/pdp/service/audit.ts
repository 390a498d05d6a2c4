import { join } from 'node:path';
import { INDEX_FILE } from '../../../libs/audit/index/file-reader.js';
import { KEYS_FILE } from '../../../libs/backup/manifest.js';
import { CallIndex } from '../../../libs/audit/index/call-index.js';
import { EvidenceReads } from '../../../libs/retention/evidence-reads.js';
import type { LogTime } from '../../../libs/control/log-time.js';
import { AuditThread } from '../audit/thread/audit-thread.js';
import type { Settings } from '../settings.js';
import type { Stores } from './stores.js';

/** The thread for auditors starts this long after the service opens it, in milliseconds. */
const WARM_AFTER_MS = 2_000;

export interface Audit {
  readonly index: CallIndex;
  readonly audit: AuditThread;
  /** Records who read evidence. */
  readonly reads: EvidenceReads;
}

/** Opens the index of calls, and the thread that answers auditors. `closing` stops them. */
export async function openAudit(
  { dataDir, logFile }: Pick<Settings, 'dataDir' | 'logFile'>,
  { log, damage }: Pick<Stores, 'log' | 'damage'>,
  time: LogTime,
  closing: AsyncDisposableStack,
): Promise<Audit> {
  const indexFile = join(dataDir, INDEX_FILE);
  const index = await CallIndex.open(log, indexFile);
  closing.defer(() => index.close());
  const audit = new AuditThread({ logFile, keysFile: join(dataDir, KEYS_FILE), indexFile }, damage.found);
  closing.defer(() => audit.close());
  // Loading it would hold up the start. A question that comes earlier starts it, and says why it cannot be answered.
  const warming = setTimeout(() => void audit.start().catch(() => undefined), WARM_AFTER_MS).unref();
  closing.defer(() => clearTimeout(warming));
  const reads = new EvidenceReads(log, time);
  closing.defer(() => reads.close());
  return { index, audit, reads };
}
