import { z } from 'zod';
import { ServerEvidence } from '../calls/events.js';
import { Definition, Probe } from '../capability/definition.js';
import { Diff, RecordedDiff } from '../capability/diff.js';
import {
  CapabilityRegistration,
  ManifestOperation,
  MAX_OPERATIONS,
  ServerExpectation,
  Source,
  SupplyChain,
  VersionProposal,
} from '../capability/manifest.js';
import { ShownProbe } from '../capability/probe.js';
import { Finding, SearchedBy } from '../content/shapes.js';
import { DigestText, InstantText, KeyId, Label, NameId, Reason, VersionId } from '../vocabulary/ids.js';
import { Handling } from '../vocabulary/quarantine.js';
import {
  Effect,
  ExceptionCode,
  Kind,
  Level,
  ReasonCode,
  ReviewVerdict,
  SignatureReason,
  VersionStatus,
} from '../vocabulary/words.js';
import { named } from './components.js';
import { operation } from './operation.js';
import type { Shape } from './shape.js';
import { MAX_PAGE, pageOf, Position } from './shapes.js';

named('Definition', Definition, {
  description: 'Everything that a server declares, as it sent it; for skills, plugins and extensions the files.',
});
named('Probe', Probe, {
  description: 'The terms under which the server was asked. Another probe may get another definition.',
});
named('Source', Source);
named('SupplyChain', SupplyChain);
named('ServerExpectation', ServerExpectation, { description: 'How the server of a version has to prove itself.' });
named('ManifestOperation', ManifestOperation);
named('ExceptionCode', ExceptionCode, { description: 'A weakness that a reviewer accepts by name.' });
named('VersionProposal', VersionProposal);
named('CapabilityRegistration', CapabilityRegistration);
named('Diff', Diff, {
  description:
    'How one definition differs from another. `severity` is the gravest of all changes. With the hint `equal_but_for_nulls` ' +
    'only nulls in place of absent members differ: the client has to leave them out (`exclude_unset`, `omitempty`).',
});

/** A manifest as it was registered. */
export const ManifestView = named(
  'Manifest',
  z.object({
    operations: z.record(z.string(), ManifestOperation),
    sensitivity: Level,
    egress: z.array(z.string()).optional(),
    server: ServerExpectation,
  }),
);
export type ManifestView = Shape<typeof ManifestView>;

export const Review = named(
  'Review',
  z.object({
    verdict: ReviewVerdict,
    by: z.string(),
    reason: z.string(),
    at: InstantText,
    exceptions: z.array(ExceptionCode),
    quarantine: Handling.optional().describe('The handling of quarantined responses; absent if the service decides.'),
  }),
);

export const VersionView = named(
  'Version',
  z.object({
    capability: NameId,
    version: VersionId,
    kind: Kind,
    category: NameId,
    owner: Label,
    status: VersionStatus,
    source: Source,
    definitionDigest: DigestText,
    probe: Probe.optional(),
    manifest: ManifestView,
    supplyChain: SupplyChain.optional(),
    signature: z
      .object({
        result: z.union([z.literal('verified'), SignatureReason]),
        publisher: NameId.optional(),
        keyId: KeyId.optional(),
      })
      .describe('Of now: keys come, expire and are revoked.'),
    review: Review.optional(),
    trust: z.literal('low').optional().describe('A reviewer accepted that nothing proves which server this is.'),
    findings: z
      .array(Finding)
      .optional()
      .describe('Of the search of the texts that a model reads, most severe first; absent if it was never searched.'),
    findingsLeftOut: z.int().optional().describe('How many further findings there are.'),
    searchedBy: SearchedBy.optional().describe('The digests of the rules that searched it.'),
    suspendedFor: z.array(NameId).describe('Hosts for which alone the version is suspended; `status` holds for all.'),
    proposedBy: z.string(),
    proposedAt: InstantText,
  }),
);
export type VersionView = Shape<typeof VersionView>;

const VersionWarning = z.object({ path: z.string().describe('Into the proposal.'), message: z.string() });
export type VersionWarning = Shape<typeof VersionWarning>;
const Warnings = z
  .array(VersionWarning)
  .optional()
  .describe('Parts of the manifest that probably do not do what its owner means.');

export const VersionWithDefinition = named(
  'VersionWithDefinition',
  VersionView.extend({ definition: Definition, warnings: Warnings }),
);
export type VersionWithDefinition = Shape<typeof VersionWithDefinition>;

export const CapabilityView = named(
  'Capability',
  z.object({
    id: NameId,
    kind: Kind,
    category: NameId,
    owner: Label,
    publishers: z.array(NameId).describe('Those that may sign for it.'),
    proposedPublishers: z.array(NameId).optional().describe('A change that waits for its review.'),
    versions: z.array(VersionView),
  }),
);
export type CapabilityView = Shape<typeof CapabilityView>;

export const VersionChanged = named(
  'VersionChanged',
  z.object({
    version: VersionView,
    warnings: Warnings,
    revision: z.int().min(1).describe("Of the capability's stream; see `expectedRevision`."),
    position: Position,
  }),
);
export type VersionChanged = Shape<typeof VersionChanged>;

const SupplyChainChange = z.object({
  field: z.string(),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
});

export const VersionDiff = named(
  'VersionDiff',
  Diff.extend({
    supplyChain: z.array(SupplyChainChange),
    manifest: RecordedDiff.optional().describe(
      'The changes of the manifest: paths lead into it. A wider one is an `authority-change`. Absent if there are ' +
        'none. The `severity` of the definition does not count it.',
    ),
  }),
);
export type VersionDiff = Shape<typeof VersionDiff>;

export const Observed = named(
  'Observed',
  z.object({
    definitionDigest: DigestText,
    drift: VersionDiff.optional().describe('Present if the definition differs from the reviewed one.'),
    probe: z
      .object({ expected: ShownProbe.partial(), observed: ShownProbe.partial() })
      .optional()
      .describe('Present if the server was asked with another probe; then nothing is suspended.'),
    status: VersionStatus,
    suspendedFor: z.array(NameId),
    position: Position,
  }),
);

const Exceptions = z.array(ExceptionCode).max(MAX_OPERATIONS + ReasonCode.options.length);
const ReviewVersion = named(
  'ReviewVersion',
  z.strictObject({
    verdict: ReviewVerdict,
    reason: Reason,
    exceptions: Exceptions.optional(),
    quarantine: Handling.optional().describe('Absent: the setting `SALLYPORT_QUARANTINE` holds.'),
    expectedRevision: z.int().min(0).optional(),
  }),
  { examples: [{ verdict: 'approved', reason: 'read the diff', exceptions: ['signature_missing'] }] },
);
const AmendExceptions = named(
  'AmendExceptions',
  z
    .strictObject({ add: Exceptions.optional(), remove: Exceptions.optional(), reason: Reason })
    .refine(({ add = [], remove = [] }) => add.length + remove.length > 0, 'needs an exception to add or to remove'),
);
const WithReason = named('WithReason', z.strictObject({ reason: Reason }));
const Observation = named(
  'Observation',
  z.strictObject({ definition: Definition, probe: Probe.optional(), server: ServerEvidence.optional() }),
);

const OfCapability = z.object({ id: NameId });
const OfVersion = OfCapability.extend({ version: VersionId });

export const registerCapability = operation({
  id: 'registerCapability',
  tag: 'registry',
  summary: 'Register a capability with its first version',
  method: 'POST',
  path: '/v1/capabilities',
  roles: ['registrar'],
  bodyLimit: 'definitionBytes',
  body: CapabilityRegistration,
  answers: { 201: named('CapabilityRegistered', VersionChanged.extend({ id: NameId })) },
  location: '/v1/capabilities/{id}',
  problems: ['already_exists'],
});

export const proposeVersion = operation({
  id: 'proposeVersion',
  tag: 'registry',
  summary: 'Propose a version of a capability',
  description: 'A reviewer other than the proposer has to approve it before a task can pin it.',
  method: 'POST',
  path: '/v1/capabilities/{id}/versions',
  roles: ['registrar'],
  bodyLimit: 'definitionBytes',
  params: OfCapability,
  body: VersionProposal,
  answers: { 201: VersionChanged },
  location: '/v1/capabilities/{id}/versions/{version}',
  problems: ['already_exists'],
});

export const listCapabilities = operation({
  id: 'listCapabilities',
  tag: 'registry',
  summary: 'List capabilities',
  description:
    'In order of their ids. A capability is listed if one of its versions fits; only those versions are shown.',
  method: 'GET',
  path: '/v1/capabilities',
  roles: 'any',
  paging: MAX_PAGE,
  query: z.object({
    status: VersionStatus.optional(),
    kind: Kind.optional(),
    category: NameId.optional(),
    owner: Label.optional(),
    effect: Effect.optional(),
  }),
  answers: { 200: pageOf(CapabilityView) },
});

export const getCapability = operation({
  id: 'getCapability',
  tag: 'registry',
  summary: 'Get a capability with its versions',
  method: 'GET',
  path: '/v1/capabilities/{id}',
  roles: 'any',
  params: OfCapability,
  answers: { 200: CapabilityView },
});

export const getVersion = operation({
  id: 'getVersion',
  tag: 'registry',
  summary: 'Get a version with its definition',
  method: 'GET',
  path: '/v1/capabilities/{id}/versions/{version}',
  rpc: 'Registry/GetVersion',
  roles: 'any',
  params: OfVersion,
  answers: { 200: VersionWithDefinition },
});

export const reviewVersion = operation({
  id: 'reviewVersion',
  tag: 'registry',
  summary: 'Approve or reject a version',
  description: 'The reviewer and the proposer must be different principals. Weaknesses have to be accepted by name.',
  method: 'POST',
  path: '/v1/capabilities/{id}/versions/{version}/review',
  roles: ['reviewer'],
  params: OfVersion,
  body: ReviewVersion,
  answers: { 200: VersionChanged },
  problems: ['self_review', 'revision_conflict', 'invalid_transition', 'exception_required'],
});

export const amendExceptions = operation({
  id: 'amendExceptions',
  tag: 'registry',
  summary: 'Change the accepted exceptions of an approved version',
  method: 'POST',
  path: '/v1/capabilities/{id}/versions/{version}/exceptions',
  roles: ['reviewer'],
  params: OfVersion,
  body: AmendExceptions,
  answers: { 200: VersionChanged },
  problems: ['self_review', 'invalid_transition'],
});

export const suspendVersion = operation({
  id: 'suspendVersion',
  tag: 'registry',
  summary: 'Suspend a version',
  description: 'The suspension issues a directive in the same commit, so hosts hear of it through the feed.',
  method: 'POST',
  path: '/v1/capabilities/{id}/versions/{version}/suspend',
  roles: ['reviewer', 'operator'],
  params: OfVersion,
  body: WithReason,
  answers: { 200: VersionChanged },
  problems: ['invalid_transition'],
});

export const reinstateVersion = operation({
  id: 'reinstateVersion',
  tag: 'registry',
  summary: 'Reinstate a suspended version',
  description: 'Not by the principal that suspended or proposed it. The directive of the suspension is lifted.',
  method: 'POST',
  path: '/v1/capabilities/{id}/versions/{version}/reinstate',
  roles: ['reviewer'],
  params: OfVersion,
  body: WithReason,
  answers: { 200: VersionChanged },
  problems: ['self_review', 'invalid_transition'],
});

export const revokeVersion = operation({
  id: 'revokeVersion',
  tag: 'registry',
  summary: 'Revoke a version permanently',
  method: 'POST',
  path: '/v1/capabilities/{id}/versions/{version}/revoke',
  roles: ['reviewer', 'operator'],
  params: OfVersion,
  body: WithReason,
  answers: { 200: VersionChanged },
  problems: ['invalid_transition'],
});

export const diffVersions = operation({
  id: 'diffVersions',
  tag: 'registry',
  summary: 'Compare a version with another one',
  method: 'GET',
  path: '/v1/capabilities/{id}/versions/{version}/diff',
  roles: 'any',
  params: OfVersion,
  query: z.object({ against: VersionId }),
  answers: { 200: VersionDiff },
});

export const observeVersion = operation({
  id: 'observeVersion',
  tag: 'registry',
  summary: 'Hand in what a server declares now',
  description:
    'A definition that differs from the reviewed one suspends the version: for the host that reports it, and for all ' +
    'hosts if a second host reports the same or the reporting host may stop for all.',
  method: 'POST',
  path: '/v1/capabilities/{id}/versions/{version}/observations',
  rpc: 'Registry/ObserveVersion',
  roles: ['host'],
  admission: 'calls',
  bodyLimit: 'definitionBytes',
  params: OfVersion,
  body: Observation,
  answers: { 200: Observed },
  problems: ['view_stale'],
});

export const listReviews = operation({
  id: 'listReviews',
  tag: 'registry',
  summary: 'List versions that await a review',
  description: 'With `status`, the versions in another status. A drifted version also awaits a review.',
  method: 'GET',
  path: '/v1/reviews',
  roles: 'any',
  paging: MAX_PAGE,
  query: z.object({ status: VersionStatus.default('pending') }),
  answers: { 200: pageOf(VersionView) },
});
