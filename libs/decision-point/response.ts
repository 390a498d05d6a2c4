import type { Caller } from '../control/caller.js';
import type { ResponseLimits } from '../content/response.js';
import type { Finding } from '../content/shapes.js';
import type { Digest } from '../kernel/digest.js';
import type { JsonText } from '../kernel/json-text.js';
import type { ResponseVerdict } from '../vocabulary/words.js';
import type { Submission } from './submission.js';

export interface ResponderLimits extends ResponseLimits {
  /** The longest time between an allow and its response, in milliseconds. */
  readonly lateMs: number;
}

/** Runs a wait while this thread is free for other work. */
export type Aside = <Answer>(wait: () => Promise<Answer>) => Promise<Answer>;

/** A response to record, its call and its caller. */
export interface Response {
  readonly callId: string;
  readonly submission: Submission;
  readonly caller: Caller;
  readonly aside: Aside;
}

export interface ResponseAnswer {
  readonly callId: string;
  readonly verdict: ResponseVerdict;
  /** The content that the agent may be given. Absent if the response was rejected. */
  readonly content?: JsonText;
  readonly findings: readonly Finding[];
  readonly rawDigest: Digest;
  readonly position: string;
}
