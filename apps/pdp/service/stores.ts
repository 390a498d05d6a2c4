import { join } from 'node:path';
import { KEYS_FILE } from '../../../libs/backup/manifest.js';
import type { EventLog } from '../../../libs/event-log/port.js';
import { settledLog } from '../../../libs/event-log/settled.js';
import { openSqliteLog, type SqliteLog } from '../../../libs/event-log/sqlite/sqlite-log.js';
import type { Clock } from '../../../libs/kernel/time.js';
import { fileKeyStore } from '../../../libs/keys/file-key-store.js';
import type { KeyStore } from '../../../libs/keys/key-store.js';
import type { Keyring } from '../../../libs/payloads/keyring.js';
import { openKeyring } from '../../../libs/payloads/sqlite-keyring.js';
import { makeFolder } from '../../../libs/sqlite-file/make-folder.js';
import { measuredLog, type MeasuredLog } from '../observability/measured-log.js';
import type { Metrics } from '../observability/metrics.js';
import { tracedLog } from '../observability/traced-log.js';
import type { Tracing } from '../observability/tracing.js';
import { DamageWatch, type DamageNotice } from '../observability/damage-watch.js';
import { DiskWatch, watchedKeyring, type DiskNotices } from '../observability/disk-watch.js';
import type { Settings } from '../settings.js';

/** The stores of the service: events, the keys of content, and the keys of the installation. */
export interface Stores {
  readonly log: MeasuredLog;
  /** The SQLite log below `log`, only for its figures. */
  readonly sqlite: Pick<SqliteLog, 'stats'>;
  /** Which of the files cannot be written. */
  readonly disk: DiskWatch;
  /** Which events of the log are damaged, as far as readers have met them. */
  readonly damage: DamageWatch;
  readonly keyring: Keyring;
  readonly keys: KeyStore;
}

interface StoreParts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly tracing?: Tracing | undefined;
  readonly wrapLog?: ((log: EventLog) => EventLog) | undefined;
  readonly notices: DiskNotices;
  readonly onDamaged?: DamageNotice | undefined;
}

/** Opens the stores in the data folder. `closing` closes them. */
export async function openStores(
  { dataDir, logFile }: Settings,
  { clock, metrics, tracing, wrapLog, notices, onDamaged }: StoreParts,
  closing: AsyncDisposableStack,
): Promise<Stores> {
  makeDataFolder(dataDir);
  const disk = new DiskWatch(notices, () => clock.monotonicMs());
  const damage = new DamageWatch(metrics.registry, onDamaged);
  const sqlite = await openSqliteLog({
    file: logFile,
    onDamaged: damage.found,
    onWriting: (failure) => (failure === undefined ? disk.worked(logFile) : disk.failed(logFile, failure)),
  });
  closing.defer(() => sqlite.close());
  const settled = settledLog(wrapLog?.(sqlite) ?? sqlite, { clock });
  // Measuring is the outer wrapper and tracing the inner one, here and at the authorizer.
  const log = measuredLog(tracing === undefined ? settled : tracedLog(settled, tracing), metrics, clock);
  const keysFile = join(dataDir, KEYS_FILE);
  const keyring = watchedKeyring(await openKeyring(keysFile), keysFile, disk);
  closing.defer(() => keyring.close());
  return { log, sqlite, disk, damage, keyring, keys: fileKeyStore(dataDir) };
}

/** Throws one line for an operator. */
function makeDataFolder(dataDir: string): void {
  try {
    makeFolder(dataDir);
  } catch (error) {
    throw new Error(`SALLYPORT_DATA: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
