import { z } from 'zod';
import { GivenInstant, NameId, VersionId } from '../vocabulary/ids.js';
import { Level } from '../vocabulary/words.js';
import { named } from './components.js';
import { operation } from './operation.js';
import type { Shape } from './shape.js';
import { pageOf } from './shapes.js';

export const ExposureQuery = z.object({
  capability: NameId,
  version: VersionId.optional(),
  from: GivenInstant.optional().describe('Included.'),
  to: GivenInstant.optional().describe('Included.'),
});
export type ExposureQuery = z.infer<typeof ExposureQuery>;

/** Calls of one page. */
export const EXPOSURE_PAGE = { defaultLimit: 1000, maxLimit: 2000 } as const;

const Count = z.int().min(0);
const Counts = z.record(z.string(), Count);

export const SeenContent = z.object({
  path: z.string().optional().describe('Of an argument. `*` is any item, or a name that only the caller has.'),
  source: z.string().optional().describe('Of context items: the entry of the manifest that they match.'),
  calls: Count.describe('How often it was sent.'),
  bytes: Count.describe('0 for an argument whose content is erased.'),
  levels: Counts,
  categories: Counts,
});

export type SeenContent = z.infer<typeof SeenContent>;

export const Exposure = named(
  'Exposure',
  z.object({
    capability: z.string(),
    version: z.string(),
    operation: z.string(),
    declared: z.object({
      arguments: z.array(z.string()),
      context: z.array(z.string()),
      sensitivity: Level,
      accepts: z.array(z.object({ path: z.string(), types: z.array(z.string()) })),
    }),
    calls: Count.describe('Allowed calls.'),
    seen: z.array(SeenContent),
    redactions: Counts,
    refusals: Counts,
    unused: z.array(z.string()).describe('Declared, and never sent.'),
  }),
  { description: 'The content that one operation may see, has seen, and never needed. It holds no value.' },
);
export type Exposure = Shape<typeof Exposure>;

export const getExposure = operation({
  id: 'getExposure',
  tag: 'audit',
  method: 'GET',
  roles: ['auditor', 'reviewer'],
  admission: 'audits',
  summary: 'List the content that each operation of a capability may see and has seen',
  description:
    'Each page covers a number of allowed calls, the newest first, by `limit`. The counts of pages add up; `unused` is ' +
    'unused on all of them. Operations without a call are on the first page. Paths and bytes come from the content of the ' +
    'calls; if it was erased, only their events count.',
  path: '/v1/audit/exposure',
  query: ExposureQuery,
  paging: EXPOSURE_PAGE,
  answers: { 200: pageOf(Exposure) },
});
