import type { CallIndex } from '../../../libs/audit/index/call-index.js';
import { Ageing } from '../../../libs/retention/ageing.js';
import { Eraser } from '../../../libs/retention/eraser.js';
import { RetentionKeeper } from '../retention/keeper.js';
import type { Settings } from '../settings.js';
import type { Control } from './control.js';
import type { Decisions } from './decisions.js';
import type { Stores } from './stores.js';

interface RetentionParts {
  readonly stores: Pick<Stores, 'log' | 'keyring'>;
  readonly control: Control;
  readonly decisions: Pick<Decisions, 'shredder'>;
  readonly index: CallIndex;
}

/**
 * Completes the erasures of tasks that a crash interrupted, and starts the keeper, which does the rest in the background.
 * `closing` stops it. Throws `LogUnavailable`, `KeyringUnavailable`.
 */
export async function openRetention(
  { retainDays }: Pick<Settings, 'retainDays'>,
  { stores: { log, keyring }, control: { plane, time }, decisions: { shredder }, index }: RetentionParts,
  closing: AsyncDisposableStack,
): Promise<Eraser> {
  await shredder.complete();
  const eraser = new Eraser(log, plane, keyring, index, shredder, time);
  const ageing = retainDays === undefined ? undefined : new Ageing(index, shredder, time, retainDays);
  const keeper = new RetentionKeeper({ shredder, eraser, ageing });
  keeper.start();
  closing.defer(() => keeper.stop());
  return eraser;
}
