import type { ContentLabel } from '../content/filter/label.js';
import type { Call } from '../decision/call.js';
import type { Decision } from '../decision/decide.js';
import type { Attempt } from './attempt.js';
import { currentCleaner } from './flow-inputs.js';
import { offeredLabel } from './task-flow.js';
import type { Seen } from './task-lane.js';

/** The content that a task sees by a decision: the items that an allow lets out, and the labels of all that were offered. */
export function seenBy({ request, work }: Attempt, { callId, inputs }: Call, { decision, filtered }: Decision): Seen {
  const items = filtered?.record.items ?? [];
  return ({ flow }) => {
    // A check before the filter denied the call. A later item may still be derived from its items.
    if (filtered === undefined) {
      const clean = currentCleaner();
      for (const [index, item] of (request.context ?? []).entries())
        flow.offer(item.id, offeredLabel(item, index, inputs, clean));
    }
    for (const [index, { path, level, categories, sent }] of items.entries()) {
      const label = { level, categories };
      const id = request.context?.[index]?.id;
      if (id !== undefined) flow.offer(id, label);
      if (decision === 'allow' && sent) flow.add({ source: callId + path, label }, work.prints?.context[index]);
    }
  };
}

/** The content that a task sees by a response that is delivered. */
export function seenResponse(callId: string, label: ContentLabel, prints: Float64Array | undefined): Seen {
  return (lane) => {
    lane.flow.add({ source: callId, label }, prints);
    lane.labelResponse(callId, label);
  };
}
