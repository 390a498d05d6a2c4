import type { Caller } from '../control/caller.js';
import type { ResponseLimits } from '../content/response.js';
import type { Finding } from '../content/shapes.js';
import type { Digest } from '../kernel/digest.js';
import type { JsonText } from '../kernel/json-text.js';
import type { Handling } from '../vocabulary/quarantine.js';
import type { ResponseVerdict } from '../vocabulary/words.js';
import type { Submission } from './submission.js';

export interface ResponderLimits extends ResponseLimits {
  /** The longest time between an allow and its response, in milliseconds. */
  readonly lateMs: number;
  /** The handling of quarantined responses, if the review of their version names none. */
  readonly quarantine: Handling;
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
  /** The content that the agent may be given. Absent if the response was rejected, or is held. */
  readonly content?: JsonText;
  /** The content waits for a release. */
  readonly held?: true;
  readonly findings: readonly Finding[];
  /** How many further findings there are. */
  readonly leftOut?: number;
  readonly rawDigest: Digest;
  readonly position: string;
}
