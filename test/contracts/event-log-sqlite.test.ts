import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteLog } from '../../libs/event-log/sqlite/sqlite-log.js';
import { eventLogContract } from './event-log.js';

eventLogContract(
  'sqlite',
  async (options) => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-log-'));
    const log = await openSqliteLog({ file: join(folder, 'log.db'), ...options });
    const dispose = async () => {
      await log.close();
      rmSync(folder, { recursive: true, force: true });
    };
    return { log, dispose };
  },
  // The tests in test/store-faults use real faults.
  { orderFaults: false },
);
