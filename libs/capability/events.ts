import { z } from 'zod';
import { isJsonObject } from '../kernel/canonical-json.js';
import type { Digest } from '../kernel/digest.js';
import { DigestText, InstantText, KeyId, Label, NameId, Reason, Uuid, VersionId } from '../vocabulary/ids.js';
import { Handling } from '../vocabulary/quarantine.js';
import { Finding, SearchedBy } from '../content/shapes.js';
import { Effect, ExceptionCode, Kind, Level, ReviewVerdict } from '../vocabulary/words.js';
import { Probe } from './definition.js';
import { RecordedDiff } from './diff.js';
import { ServerExpectation, Source, type OperationNeeds } from './manifest.js';

/**
 * The facts of an operation that decisions need. Schemas are named by their digests: they are blobs, loaded at first use.
 * `arguments` is absent if any object is valid.
 */
export interface OperationFacts {
  readonly effects: readonly Effect[];
  readonly arguments?: Digest;
  readonly output?: Digest;
  /** The level of its responses. Absent: the sensitivity of the version. */
  readonly returns?: Level;
  /** The content of a call that it may see. Absent: what its input schema declares, and no context item. */
  readonly needs?: OperationNeeds;
  /** The prompt declares an argument `name` of its own. */
  readonly ownName?: true;
  /**
   * Why its schemas cannot be vetted: nothing is valid against them, unless a reviewer accepts by name that they are not
   * enforced. The texts are ours, and the pointers in them are the server's.
   */
  readonly unenforced?: Readonly<Partial<Record<'arguments' | 'output', string>>>;
}

/** Facts of stream `capability-<id>`. */
export const CapabilityRegistered = z.strictObject({
  capability: NameId,
  kind: Kind,
  category: NameId,
  owner: Label,
  publishers: z.array(NameId),
  requestDigest: DigestText,
});

/** `definition`, `manifest` and the other documents are blobs: `documents` holds their plain SHA-256. */
export const VersionProposed = z.strictObject({
  capability: NameId,
  version: VersionId,
  source: Source,
  definitionDigest: DigestText,
  probe: Probe.optional(),
  documents: z.strictObject({
    definition: DigestText,
    manifest: DigestText,
    supplyChain: DigestText.optional(),
    signature: DigestText.optional(),
  }),
  operations: z.custom<Readonly<Record<string, OperationFacts>>>(isJsonObject),
  sensitivity: Level,
  server: ServerExpectation,
  /**
   * The most severe findings in the texts of the definition that a model reads. Paths lead into the definition. Absent in
   * events that are older than the search, as `searchedBy` is.
   */
  findings: z.array(Finding).optional(),
  findingsLeftOut: z.int().min(1).optional(),
  searchedBy: SearchedBy.optional(),
  requestDigest: DigestText,
});
export const VersionReviewed = z.strictObject({
  capability: NameId,
  version: VersionId,
  verdict: ReviewVerdict,
  reason: Reason,
  exceptions: z.array(ExceptionCode),
  /** The handling of quarantined responses of the version. Absent if the setting of the service decides it. */
  quarantine: Handling.optional(),
});
const SignerFact = z.strictObject({ publisher: NameId, keyId: KeyId });

/**
 * The signature of a version was verified with the keys that its publishers had by then. `signers` are the keys that
 * made a signature, active or not: each decision looks at their status. See `findSigners` for `fault`.
 */
export const SignatureVerified = z.strictObject({
  capability: NameId,
  version: VersionId,
  signers: z.array(SignerFact),
  fault: z.enum(['missing', 'invalid']).optional(),
  /** Publishers whose keys were tried, with the number of keys that each had. */
  tried: z.array(z.strictObject({ publisher: NameId, keys: z.int().min(0) })),
});
/** A change of the publishers who may sign for a capability; it holds once another person has approved it. */
export const PublishersProposed = z.strictObject({ capability: NameId, publishers: z.array(NameId), reason: Reason });
export const PublishersReviewed = z.strictObject({ capability: NameId, verdict: ReviewVerdict, reason: Reason });
/** A reviewer accepts further weaknesses of an approved version, or accepts some no longer. */
export const ExceptionsAmended = z.strictObject({
  capability: NameId,
  version: VersionId,
  added: z.array(ExceptionCode),
  removed: z.array(ExceptionCode),
  reason: Reason,
});
/** `snapshot` is the blob of the observed definition; absent once a version has 16 of them. */
export const DriftObserved = z.strictObject({
  capability: NameId,
  version: VersionId,
  host: NameId,
  observedDigest: DigestText,
  diff: RecordedDiff,
  snapshot: DigestText.optional(),
  /** The host had no open task with the version: its report counts for nobody else. */
  withoutTask: z.literal(true).optional(),
});
/** `host` is present if the suspension is for that host alone; otherwise `directiveId` names the stop for all. */
export const VersionSuspended = z.strictObject({
  capability: NameId,
  version: VersionId,
  reason: Reason,
  cause: z.enum(['decision', 'drift']),
  host: NameId.optional(),
  directiveId: Uuid.optional(),
});
/** `directiveId` names the directive that is lifted with it; absent if only single hosts were suspended. */
export const VersionReinstated = z.strictObject({
  capability: NameId,
  version: VersionId,
  reason: Reason,
  directiveId: Uuid.optional(),
});
export const VersionRevoked = z.strictObject({
  capability: NameId,
  version: VersionId,
  reason: Reason,
  directiveId: Uuid,
});

export const capabilityEventSchemas = {
  CapabilityRegistered,
  VersionProposed,
  SignatureVerified,
  PublishersProposed,
  PublishersReviewed,
  VersionReviewed,
  ExceptionsAmended,
  DriftObserved,
  VersionSuspended,
  VersionReinstated,
  VersionRevoked,
} as const;

type Fact<Type extends keyof typeof capabilityEventSchemas> = {
  readonly type: Type;
  readonly data: z.infer<(typeof capabilityEventSchemas)[Type]>;
};

/** A fact with its actor and time. The rules need no other field of the envelope. */
export type CapabilityEvent = {
  [Type in keyof typeof capabilityEventSchemas]: Fact<Type> & {
    readonly actor: string;
    readonly time: z.infer<typeof InstantText>;
  };
}[keyof typeof capabilityEventSchemas];
