import { z } from 'zod';
import { Bundle } from './bundle-format.js';
import { TraceId } from '../vocabulary/ids.js';
import { named } from './components.js';
import { operation } from './operation.js';

export const exportBundle = operation({
  tag: 'audit',
  method: 'GET',
  roles: ['auditor'],
  admission: 'audits',
  id: 'exportBundle',
  summary: 'Export the evidence of a trace as one file',
  description:
    'As of the last checkpoint. Waits up to 2 seconds for the one with the newest events of the trace; the header ' +
    '`sallyport-unsealed-events` is the number of those that it still lacks. `sallyport verify` checks the file.',
  path: '/v1/audit/traces/{traceId}/bundle',
  params: z.object({ traceId: TraceId }),
  query: z.object({
    content: z
      .enum(['include', 'omit'])
      .optional()
      .describe('`omit` leaves arguments, responses and other content out. `include` if absent.'),
  }),
  answers: { 200: named('Bundle', Bundle, { description: 'The evidence of one trace, with proofs.' }) },
  headers: { 'content-disposition': 'attachment; filename="sallyport-bundle.json"' },
  problems: ['too_large', 'evidence_damaged'],
});
