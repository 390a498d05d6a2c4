import { Command } from '@nestjs/cqrs';
import type { CapabilityRegistration, VersionProposal } from '../../../libs/capability/manifest.js';
import type { JsonObject } from '../../../libs/kernel/canonical-json.js';
import type { Handling } from '../../../libs/vocabulary/quarantine.js';
import type { ExceptionCode, ReviewVerdict } from '../../../libs/vocabulary/words.js';
import type { Principal } from '../edge/access.js';

/** A body as received, and its length in bytes. */
interface Came {
  readonly raw: JsonObject;
  readonly bytes: number;
}

/** The requests about a capability. */
export type RegistryRequest = { readonly capability: string } & (
  | ({ readonly type: 'register'; readonly registration: CapabilityRegistration } & Came)
  | ({ readonly type: 'propose'; readonly proposal: VersionProposal } & Came)
  | {
      readonly type: 'review';
      readonly version: string;
      readonly verdict: ReviewVerdict;
      readonly reason: string;
      readonly exceptions: readonly ExceptionCode[];
      readonly quarantine?: Handling | undefined;
      readonly expectedRevision?: number | undefined;
    }
  | {
      readonly type: 'amend';
      readonly version: string;
      readonly add: readonly ExceptionCode[];
      readonly remove: readonly ExceptionCode[];
      readonly reason: string;
    }
  | { readonly type: 'propose-publishers'; readonly publishers: readonly string[]; readonly reason: string }
  | { readonly type: 'review-publishers'; readonly verdict: ReviewVerdict; readonly reason: string }
  | { readonly type: 'suspend' | 'reinstate' | 'revoke'; readonly version: string; readonly reason: string }
);

export interface RegistryReply {
  readonly version: string;
  /** The revision of the capability's stream. */
  readonly revision: number;
  readonly position: bigint;
}

export class RegistryCommand extends Command<RegistryReply> {
  constructor(
    readonly actor: Principal,
    readonly request: RegistryRequest,
  ) {
    super();
  }
}
