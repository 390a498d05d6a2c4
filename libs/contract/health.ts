import { z } from 'zod';
import { PositionText } from '../vocabulary/ids.js';
import { named } from './components.js';
import { operation } from './operation.js';

const LaneDetail = named(
  'LaneDetail',
  z.object({
    state: z.string(),
    reason: z.string().optional(),
    lag: z.int().min(0).describe('Positions of the log that wait to be sent.'),
    sinceAckMs: z.number().optional().describe('Since the other side last acknowledged something.'),
  }),
);
const kafka = z
  .object({ events: LaneDetail, directives: LaneDetail })
  .optional()
  .describe('Present if brokers are set.');

const siem = z
  .object({ kafka: LaneDetail.optional(), file: LaneDetail.optional(), otlp: LaneDetail.optional() })
  .optional()
  .describe('The ways on which OCSF events leave; present if one is set.');

const clock = named(
  'ClockDetail',
  z.object({
    serviceTime: z.string().describe('The later of the wall clock and the newest event, RFC 3339.'),
    aheadMs: z.int().min(0).describe('How far that is ahead of the wall clock, in milliseconds.'),
  }),
);

const disk = named(
  'DiskTrouble',
  z.object({
    cause: z
      .string()
      .describe(
        'The code of SQLite or of the system: `SQLITE_FULL` if there is no space, `FILE_GONE` if it was removed or replaced.',
      ),
    path: z.string(),
    freeBytes: z.number().optional().describe('Bytes that the service may still write there.'),
  }),
)
  .optional()
  .describe('Present while a file of the data folder cannot be written.');

const damaged = named(
  'DamagedEvidence',
  z.object({
    events: z.int().min(1).describe('Damaged events that readers have met, at most 1,000.'),
    first: z
      .array(z.object({ position: PositionText, stream: z.string(), revision: z.int() }))
      .describe('The first ten.'),
  }),
)
  .optional()
  .describe('Present if an event of the log is damaged. Decisions that do not need it go on.');

const health = { tag: 'health', method: 'GET', roles: 'public' } as const;

export const live = operation({
  ...health,
  id: 'live',
  summary: 'Whether the process runs',
  path: '/health/live',
  answers: { 200: z.object({ status: z.literal('live') }) },
});

export const ready = operation({
  ...health,
  id: 'ready',
  summary: 'Whether the service could allow a call now',
  description: 'Ready means that the log takes commits and the views are up to date, with or without Kafka.',
  path: '/health/ready',
  answers: {
    200: z.object({ status: z.literal('ready'), clock, kafka, siem, disk, damaged }),
    503: z.object({
      status: z.literal('not_ready'),
      reason: z.enum(['shutting_down', 'log_unavailable', 'view_stale']),
      clock,
      kafka,
      siem,
      disk,
      damaged,
    }),
  },
});

export const metrics = operation({
  ...health,
  id: 'metrics',
  summary: 'Metrics in the Prometheus text format',
  description:
    'For programs on this machine; `forbidden` to others, which use the address of SALLYPORT_METRICS. Counts, sizes, durations and closed words; nothing here names a task, user or capability.',
  path: '/metrics',
  answers: { 200: z.string() },
  media: 'text/plain',
  problems: ['overloaded', 'forbidden'],
});
