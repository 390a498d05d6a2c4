import { ContentDesk } from '../../libs/decision-point/content-desk.js';
import type { ResponseText } from '../../libs/decision-point/content-jobs.js';
import type { DecisionEngines } from '../../libs/decision-point/engines.js';

/** What a responder of a test takes at most. */
export const RESPONSE_LIMITS = { maxBytes: 100_000, maxDepth: 32, maxParts: 100, lateMs: 3_600_000 };

const values = { most: 10_000 };

/** Does all work on content where it is asked for. */
export const inlineDesk = (engines: DecisionEngines): ContentDesk =>
  new ContentDesk(engines.validator, { maxDepth: 32, body: values, response: values });

/** A response as a host would send it. */
export const responseText = (response: { taskId: string; result: object }): ResponseText => ({
  body: Buffer.from(JSON.stringify(response)),
});
