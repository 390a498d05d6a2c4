import { z } from 'zod';
import { InstantText, NameId, Reason } from '../vocabulary/ids.js';
import { ReviewVerdict } from '../vocabulary/words.js';
import { named } from './components.js';
import { operation } from './operation.js';
import type { Shape } from './shape.js';
import { Position } from './shapes.js';

const PolicyVersion = z.coerce.number().int().min(1);
const Status = z.enum(['pending', 'approved', 'rejected']);

const ProposePolicy = named(
  'ProposePolicy',
  z.strictObject({ cedar: z.string().min(1).max(1_000_000), reason: Reason }),
  {
    examples: [{ cedar: '@id("readers") permit(principal, action == Action::"read", resource);', reason: 'first set' }],
  },
);
const ReviewPolicy = named('ReviewPolicy', z.strictObject({ verdict: ReviewVerdict, reason: Reason }));

export const PolicyAnswer = named(
  'PolicyAnswer',
  z.object({
    set: NameId,
    policyVersion: z.int().min(1),
    status: Status,
    warnings: z.array(z.string()).optional().describe('Names in the policies that are not registered now.'),
    position: Position,
  }),
);
export type PolicyAnswer = Shape<typeof PolicyAnswer>;

const PolicyReview = z.object({ verdict: ReviewVerdict, by: z.string(), reason: z.string(), at: InstantText });

export const PolicySet = named(
  'PolicySet',
  z.object({
    set: NameId,
    active: z.int().optional().describe('The version in force: the one that was approved last.'),
    versions: z.array(
      z.object({
        policyVersion: z.int().min(1),
        cedar: z.string(),
        reason: z.string(),
        proposedBy: z.string(),
        proposedAt: InstantText,
        status: Status,
        review: PolicyReview.optional(),
      }),
    ),
  }),
  { description: 'The newest 50 versions of a policy set, and the one in force.' },
);
export type PolicySet = Shape<typeof PolicySet>;

const OfSet = z.object({ set: NameId });

export const proposePolicy = operation({
  id: 'proposePolicy',
  tag: 'policies',
  summary: 'Propose a version of a policy set',
  description:
    'The Cedar text is validated against the vocabulary of the service. The set `default` is the one in use. An ' +
    'approval by a reviewer puts a version into force.',
  method: 'POST',
  path: '/v1/policies/{set}',
  roles: ['registrar'],
  idempotencyKey: true,
  params: OfSet,
  body: ProposePolicy,
  answers: { 201: PolicyAnswer },
  location: '/v1/policies/{set}',
  problems: ['already_exists', 'too_large'],
});

export const reviewPolicy = operation({
  id: 'reviewPolicy',
  tag: 'policies',
  summary: 'Approve or reject a proposed version',
  description: 'The reviewer and the proposer must be different principals.',
  method: 'POST',
  path: '/v1/policies/{set}/{policyVersion}/review',
  roles: ['reviewer'],
  params: OfSet.extend({ policyVersion: PolicyVersion }),
  body: ReviewPolicy,
  answers: { 200: PolicyAnswer },
  problems: ['self_review', 'invalid_transition'],
});

export const getPolicySet = operation({
  id: 'getPolicySet',
  tag: 'policies',
  summary: 'Get a policy set',
  method: 'GET',
  path: '/v1/policies/{set}',
  roles: 'any',
  params: OfSet,
  answers: { 200: PolicySet },
});
