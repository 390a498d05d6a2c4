import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { LogOverloaded, LogUnavailable } from '../../../libs/event-log/port.js';
import type { SealerData } from '../../../libs/seal/run-sealer.js';
import { sealWrite } from '../../../libs/seal/seal-write.js';
import { SealThread } from '../../../libs/seal/seal-thread.js';
import { noteVerifier, rawKey, verifierText } from '../../../libs/transparency/note.js';
import { addGauge } from '../observability/gauges.js';
import type { Metrics } from '../observability/metrics.js';
import type { Settings } from '../settings.js';
import type { Control } from './control.js';
import type { Stores } from './stores.js';

/** The checkpoints of the log: who signs them, and the thread that makes them. */
export interface Seal {
  readonly thread: SealThread;
  /** The key that verifies checkpoints, as `/.well-known/sallyport-log` shows it. */
  readonly key: { readonly id: string; readonly algorithm: 'Ed25519'; readonly publicKey: string };
  /** The same as a C2SP verifier key. */
  readonly verifier: string;
}

export interface SealParts {
  readonly metrics: Metrics;
  /** Sealing or its witness fails, or works again (undefined). */
  readonly onTrouble: ((trouble: string | undefined) => void) | undefined;
}

/** Objects of the thread that outlive a step are few. */
const LIMITS = { maxYoungGenerationSizeMb: 12 } as const;

/** Starts the thread that seals. `closing` seals the rest and stops it. Throws `SealFault` if the log is not its witness's. */
export async function openSeal(
  { dataDir, logFile, logOrigin, witnessDir }: Settings,
  { log, keys }: Stores,
  { time }: Control,
  { metrics, onTrouble }: SealParts,
  closing: AsyncDisposableStack,
): Promise<Seal> {
  const key = await keys.signingKey('log');
  const data: SealerData = {
    logFile: realpathSync(logFile),
    file: join(dataDir, 'seal.db'),
    key,
    origin: logOrigin,
    witness: witnessDir,
  };
  const thread = new SealThread({
    script: new URL('../seal/worker.js', import.meta.url),
    data,
    limits: LIMITS,
    nowMs: () => Date.now(),
    onTrouble: (trouble) => onTrouble?.(trouble),
    async append(revision, sealing) {
      try {
        const outcome = await log.append({ writes: [sealWrite(revision, sealing, time.now())], checks: [] });
        return outcome.kind === 'committed' ? undefined : 'the stream has moved';
      } catch (error) {
        if (error instanceof LogUnavailable || error instanceof LogOverloaded) return error.message;
        return 'the log does not take it';
      }
    },
  });
  await thread.start();
  closing.defer(() => thread.close());
  addGauge(
    metrics.registry,
    'sallyport_seal_lag_seconds',
    'For how long the oldest event waits for its checkpoint; 0 if none waits.',
    () => thread.lagSeconds,
  );
  addGauge(metrics.registry, 'sallyport_seal_size', 'Leaves in the tree of the last checkpoint.', () => {
    return thread.status.size;
  });
  addGauge(metrics.registry, 'sallyport_seal_failing', 'Whether sealing or its witness fails, 0 or 1.', () => {
    return thread.status.trouble === undefined ? 0 : 1;
  });
  return { thread, key: shownKey(thread.origin, key), verifier: verifierText(noteVerifier(thread.origin, key)) };
}

function shownKey(origin: string, key: KeyObject): Seal['key'] {
  const id = Buffer.from(noteVerifier(origin, key).keyId).toString('hex');
  return { id, algorithm: 'Ed25519', publicKey: rawKey(createPublicKey(key)).toString('base64') };
}
