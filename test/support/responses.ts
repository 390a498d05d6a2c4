import { ContentDesk } from '../../libs/decision-point/content-desk.js';
import type { ResponseText } from '../../libs/decision-point/content-jobs.js';
import type { DecisionEngines } from '../../libs/decision-point/engines.js';

/** The limits of a test's responder. */
export const RESPONSE_LIMITS = {
  maxBytes: 100_000,
  maxDepth: 32,
  maxParts: 100,
  lateMs: 3_600_000,
  quarantine: 'quote',
} as const;

const values = { most: 10_000 };

/** Does all work on content where it is asked for. */
export const inlineDesk = (engines: DecisionEngines): ContentDesk =>
  new ContentDesk(engines.validator, { maxDepth: 32, body: values, response: values });

/** A response as a host would send it. */
export const responseText = (response: { taskId: string; result: object }): ResponseText => ({
  body: Buffer.from(JSON.stringify(response)),
});
