import type { Caller } from '../control/caller.js';
import type { ResponseLimits } from '../content/response.js';
import type { Finding } from '../content/shapes.js';
import type { Digest } from '../kernel/digest.js';
import type { JsonText } from '../kernel/json-text.js';
import type { ResponseVerdict } from '../vocabulary/words.js';
import type { Submission } from './submission.js';

export interface ResponderLimits extends ResponseLimits {
  /** How long after its allow an answer may come, in milliseconds. */
  readonly lateMs: number;
}

/** Waits for something while this thread is free for others. */
export type Aside = <Answer>(wait: () => Promise<Answer>) => Promise<Answer>;

/** A response to record: to which call, from whom. */
export interface Response {
  readonly callId: string;
  readonly submission: Submission;
  readonly caller: Caller;
  readonly aside: Aside;
}

export interface ResponseAnswer {
  readonly callId: string;
  readonly verdict: ResponseVerdict;
  /** What the agent may be given; absent if the response was rejected. */
  readonly content?: JsonText;
  readonly findings: readonly Finding[];
  readonly rawDigest: Digest;
  readonly position: string;
}
