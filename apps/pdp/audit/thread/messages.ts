import type { ApprovalsAsked } from '../../../../libs/audit/approvals.js';
import type { IndexStamp } from '../../../../libs/audit/index/reading.js';
import type { CallQuery, EventsQuery, TaskQuery } from '../../../../libs/contract/audit.js';
import type { ResponseQuery } from '../../../../libs/contract/responses.js';
import type { ExposureQuery } from '../../../../libs/contract/exposure.js';
import type { SampleQuery } from '../../../../libs/contract/sample.js';
import type { Refusal } from '../../../../libs/kernel/refusal.js';
import type { SealedEvidence } from '../../../../libs/seal/messages.js';
import type { DamagedPlace } from '../../../../libs/event-log/port.js';
import type { Instant } from '../../../../libs/kernel/time.js';

import type { BundleStep } from './bundle-session.js';

/** The messages between the service and its thread for auditors. */

export interface AuditThreadData {
  readonly logFile: string;
  readonly keysFile: string;
  readonly indexFile: string;
}

export interface Page {
  readonly limit: number;
  readonly cursor: string | undefined;
}

/** The steps of an export. A session is a number that the service chooses. */
export type BundleRequest =
  | {
      readonly kind: 'bundle';
      readonly session: number;
      readonly traceId: string;
      readonly content: 'include' | 'omit';
      readonly stamp: IndexStamp;
      /** The verifier keys of the log. */
      readonly keys: readonly string[];
    }
  | { readonly kind: 'bundle_step'; readonly session: number; readonly answer: SealedEvidence | undefined }
  | { readonly kind: 'bundle_end'; readonly session: number };

export type AuditRequest =
  | BundleRequest
  | {
      readonly kind: 'trace';
      readonly traceId: string;
      readonly now: Instant;
      readonly page: Page;
      readonly stamp: IndexStamp;
    }
  | { readonly kind: 'replay'; readonly traceId: string; readonly page: Page; readonly stamp: IndexStamp }
  /** `isFirst`: the page begins the text of a stream. */
  | {
      readonly kind: 'calls';
      readonly query: CallQuery;
      readonly page: Page;
      readonly isFirst: boolean;
      readonly stamp: IndexStamp;
    }
  | {
      readonly kind: 'call';
      readonly callId: string;
      readonly task: string | undefined;
      readonly stamp: IndexStamp;
    }
  | {
      readonly kind: 'tasks';
      readonly query: TaskQuery;
      readonly now: Instant;
      readonly page: Page;
      readonly stamp: IndexStamp;
    }
  | {
      readonly kind: 'approvals';
      readonly query: ApprovalsAsked;
      readonly now: Instant;
      readonly page: Page;
      readonly stamp: IndexStamp;
    }
  | {
      readonly kind: 'responses';
      readonly query: ResponseQuery;
      readonly now: Instant;
      readonly page: Page;
      readonly stamp: IndexStamp;
    }
  | { readonly kind: 'exposure'; readonly query: ExposureQuery; readonly page: Page; readonly stamp: IndexStamp }
  | { readonly kind: 'sample'; readonly query: SampleQuery; readonly stamp: IndexStamp }
  /** `until` is the last position to read. */
  | {
      readonly kind: 'events';
      readonly query: EventsQuery;
      readonly until: bigint | undefined;
      readonly isFirst: boolean;
      readonly stamp: IndexStamp;
    };

/** Why a store could not be read. The detail holds no SQL and no path. */
export type AuditFailure = 'log' | 'keys' | 'index';

/** `damaged`: events that were met since the reply before. */
export type AuditReply = { readonly damaged?: readonly DamagedPlace[] } & AuditAnswer;

export type AuditAnswer =
  | { readonly kind: 'step'; readonly step: BundleStep }
  /** The text in UTF-8; undefined if nothing is known under the id. `next` is the cursor of the following page. */
  | { readonly kind: 'answer'; readonly bytes: Uint8Array<ArrayBuffer> | undefined; readonly next?: string | undefined }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'failed'; readonly failure: AuditFailure; readonly detail: string };
