import { workerData } from 'node:worker_threads';
import { openLogPages } from '../../../libs/event-log/sqlite/log-pages.js';
import { openPruned } from '../../../libs/event-log/sqlite/pruned.js';
import { runSealer, type SealerData } from '../../../libs/seal/run-sealer.js';
import { withPruned } from '../../../libs/seal/with-pruned.js';
import { ownPort } from '../../../libs/threads/serve.js';
import { lowerOwnPriority } from '../../../libs/threads/priority.js';

/** Nice increment of this thread: when processors are scarce, decisions and their records run before checkpoints. */
const SEAL_NICE_INCREMENT = 5;

lowerOwnPriority(SEAL_NICE_INCREMENT);
const data = workerData as SealerData;
await runSealer(ownPort(), data, withPruned(openLogPages(data.logFile), openPruned(data.logFile)));
