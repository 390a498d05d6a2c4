import { z } from 'zod';
import { NameId, Reason } from '../vocabulary/ids.js';
import { ReviewVerdict } from '../vocabulary/words.js';
import { named } from './components.js';
import { operation } from './operation.js';
import type { Shape } from './shape.js';
import { Position } from './shapes.js';

/** The publishers that may sign for a capability: a change needs a second person. */

const OfCapability = z.object({ id: NameId });

const PublishersChanged = named(
  'PublishersChanged',
  z.object({
    id: NameId,
    publishers: z.array(NameId),
    proposedPublishers: z.array(NameId).optional(),
    revision: z.int().min(1),
    position: Position,
  }),
);
export type PublishersChanged = Shape<typeof PublishersChanged>;

export const proposePublishers = operation({
  id: 'proposePublishers',
  tag: 'registry',
  summary: 'Propose the publishers of a capability',
  description: 'It holds once somebody else has approved it. A later proposal takes the place of one that waits.',
  method: 'PUT',
  path: '/v1/capabilities/{id}/publishers',
  roles: ['registrar'],
  params: OfCapability,
  body: named('ProposePublishers', z.strictObject({ publishers: z.array(NameId).max(64), reason: Reason })),
  answers: { 200: PublishersChanged },
});

export const reviewPublishers = operation({
  id: 'reviewPublishers',
  tag: 'registry',
  summary: 'Approve or reject a change of the publishers',
  method: 'POST',
  path: '/v1/capabilities/{id}/publishers/review',
  roles: ['reviewer'],
  params: OfCapability,
  body: named('ReviewPublishers', z.strictObject({ verdict: ReviewVerdict, reason: Reason })),
  answers: { 200: PublishersChanged },
  problems: ['self_review', 'invalid_transition'],
});
