import { z } from 'zod';
import { DigestText, InstantText, PositionText } from '../vocabulary/ids.js';
import { named } from './components.js';
import { operation } from './operation.js';
import type { Shape } from './shape.js';
import { Position } from './shapes.js';
import { NoContent } from './tasks.js';

/** Calls of one sample at most. */
export const MAX_SAMPLE = 200;

export const SampleQuery = z.object({
  calls: z.coerce.number().int().min(1).max(MAX_SAMPLE).optional().describe('Calls to draw; 10 by default.'),
  seed: z
    .string()
    .regex(/^[\x21-\x7e]{1,64}$/, 'needs 1 to 64 visible ASCII characters')
    .optional()
    .describe('The same seed draws the same calls, as of the same position. Without it the service chooses one.'),
  asOf: PositionText.optional().describe('Draws from the calls up to this position only; from all if absent.'),
});
export type SampleQuery = z.infer<typeof SampleQuery>;

const Recovery = named(
  'Recovery',
  z.object({
    state: z
      .enum(['recovered', 'not_applicable', ...NoContent.options])
      .describe('not_applicable: the decision did not need it, or it never came.'),
    digest: DigestText.optional().describe('SHA-256 of the RFC 8785 form of the value; present if it was recovered.'),
  }),
  { description: 'Whether one piece of evidence can be read back.' },
);
export type Recovery = Shape<typeof Recovery>;

export const SampledCall = named(
  'SampledCall',
  z.object({
    position: Position,
    stream: z.string(),
    revision: z.int().min(1),
    damaged: z.literal(true).optional().describe('The record cannot be read, so that only its place is known.'),
    callId: z.string().optional(),
    attempt: z.int().optional(),
    traceId: z.string().optional(),
    taskId: z.string().optional(),
    time: InstantText.optional(),
    capability: z.string().optional(),
    operation: z.string().optional(),
    decision: z.enum(['allow', 'deny']).optional(),
    reason: z.string().optional(),
    recoverable: z.boolean().describe('Each piece of evidence that applies was recovered.'),
    evidence: z
      .object({
        serverIdentity: Recovery.describe('The verification of the server: method, result, expected, observed.'),
        version: Recovery.describe('The pinned version: its definition digest, source and review.'),
        scopeCheck: Recovery.describe('The checks of capability, task and user, with rule and reason.'),
        outbound: Recovery.describe('The arguments that the host was given to send.'),
        response: Recovery.describe('The response of the server, as it came.'),
        validation: Recovery.describe('The verdict, the findings, and what the agent was given.'),
      })
      .optional(),
  }),
  { description: 'One recorded attempt of a sample, and which of its evidence can be read back.' },
);
export type SampledCall = Shape<typeof SampledCall>;

export const CallSample = named(
  'CallSample',
  z.object({
    seed: z.string(),
    asOf: Position.describe('With the seed, this position draws the same calls again.'),
    total: z.int().min(0).describe('The recorded attempts that the sample was drawn from.'),
    recoverable: z.boolean().describe('All evidence of all drawn calls was recovered.'),
    items: z.array(SampledCall),
  }),
);
export type CallSample = Shape<typeof CallSample>;

export const sampleCalls = operation({
  tag: 'audit',
  method: 'GET',
  roles: ['auditor'],
  admission: 'audits',
  id: 'sampleCalls',
  summary: 'Draw calls at random and try to recover their evidence',
  description: 'Each recorded attempt, also each refused one, is drawn with the same probability.',
  path: '/v1/audit/sample',
  query: SampleQuery,
  answers: { 200: CallSample },
});
