import { z } from 'zod';
import { DigestText, InstantText, Uuid } from '../../../libs/vocabulary/ids.js';

/** What an instance acknowledges. What later hosts say beside it is passed over. */
export const AckRequest = z.object({
  instanceId: Uuid,
  epoch: z.int().min(0),
  stateRoot: DigestText,
  appliedAt: InstantText,
});

/** `instanceId`: of the host that asks, for which the answer is a beat like those of a watch. */
export const ListRequest = z.object({ instanceId: Uuid.optional() });

export const WatchRequest = z.object({ sinceEpoch: z.int().min(0).optional(), instanceId: Uuid.optional() });
