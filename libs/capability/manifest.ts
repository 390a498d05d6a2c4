import { z } from 'zod';
import { DigestText, FreeObject, Label, NameId, namesTo, VersionId } from '../vocabulary/ids.js';
import { sourceFault, SourceType } from '../vocabulary/source.js';
import { Effect, Kind, Level } from '../vocabulary/words.js';
import { Definition, Probe } from './definition.js';

const Url = z.string().min(1).max(2048);
const Integrity = z.string().min(1).max(512);

/** How a version's server has to prove itself. `none` is a weakness that a reviewer must accept by name. */
export const ServerExpectation = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('package'), integrity: Integrity, command: z.string().max(4096).optional() }),
  z.strictObject({ method: z.literal('tls'), url: Url, spki: Integrity }),
  z.strictObject({ method: z.literal('spiffe'), id: Url }),
  z.strictObject({ method: z.literal('mtls'), subject: z.string().min(1).max(1024) }),
  z.strictObject({ method: z.literal('oauth-resource'), resource: Url }),
  z.strictObject({ method: z.literal('none') }),
]);
export type ServerExpectation = z.infer<typeof ServerExpectation>;

const Schema = z.union([FreeObject, z.boolean()]);

const Pointer = z
  .string()
  .max(1024)
  .regex(/^(\/([^~/]|~[01])*)*$/, 'needs a JSON Pointer');

/** An argument that an operation needs. `*` in its pointer is every item of an array, or every member. */
export const NeededArgument = z.strictObject({
  path: z.string(),
  maxLength: z.int().min(0).optional(),
  accepts: z.array(z.string().min(1).max(128)).max(64).optional(),
});

const ContextSource = Label.regex(/^[^*]*\*?$/, 'may have * only at its end');

/** The content that an operation may see, as facts. */
export const OperationNeeds = z.strictObject({
  arguments: z.array(NeededArgument).optional(),
  context: z.array(z.string()).optional(),
  contextBytes: z.int().optional(),
});
export type OperationNeeds = z.infer<typeof OperationNeeds>;

export const ManifestOperation = z.strictObject({
  effects: z.array(Effect).min(1).max(6),
  /** The level of its responses. Absent: that of the version's sensitivity. */
  returns: Level.optional(),
  needs: z
    .strictObject({
      arguments: z
        .array(z.union([Pointer, NeededArgument.extend({ path: Pointer })]))
        .max(256)
        .optional(),
      context: z.array(ContextSource).max(256).optional(),
      contextBytes: z.int().min(1).max(67_108_864).optional(),
    })
    .optional(),
  argumentsSchema: Schema.optional(),
  outputSchema: Schema.optional(),
});
export type ManifestOperation = z.infer<typeof ManifestOperation>;

export const MAX_OPERATIONS = 512;

/** The owner's declaration about a version. A misspelt field is an error, so no limit is lost silently. */
export const Manifest = z.strictObject({
  operations: namesTo(ManifestOperation, MAX_OPERATIONS),
  sensitivity: Level,
  egress: z.array(z.string().min(1).max(512)).max(256).optional(),
  server: ServerExpectation,
});
export type Manifest = z.infer<typeof Manifest>;

export const Source = z.strictObject({
  type: SourceType,
  name: z.string().min(1).max(512),
  version: z.string().max(128).optional(),
  integrity: Integrity.optional(),
  url: Url.optional(),
});
export type Source = z.infer<typeof Source>;

/** A source as it can be registered: its name fits the grammar of its type. Older events may hold others. */
const ProposedSource = Source.superRefine(({ type, name }, context) => {
  const fault = sourceFault(type, name);
  if (fault !== undefined) context.addIssue({ code: 'custom', path: ['name'], message: fault });
});

export const SupplyChain = z.strictObject({
  repository: Url.optional(),
  commit: z.string().max(128).optional(),
  builder: z.string().max(512).optional(),
  lockDigest: DigestText.optional(),
  dependencies: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(512),
        version: z.string().min(1).max(128),
        integrity: Integrity.optional(),
      }),
    )
    .max(20_000)
    .optional(),
  updateChannel: z.string().max(512).optional(),
  attestations: z.array(FreeObject).max(64).optional(),
});
export type SupplyChain = z.infer<typeof SupplyChain>;

/** A DSSE envelope (secure-systems-lab/dsse v1) around the JCS of the manifest's statement. */
export const DsseEnvelope = z.strictObject({
  /** Another type, or no signature, is registered too: the check of signatures denies it. */
  payloadType: z.string().max(256),
  payload: z.string().max(4_000_000),
  signatures: z
    .array(z.strictObject({ keyid: z.string().max(256).optional(), sig: z.string().min(1).max(2048) }))
    .max(8),
});

export const VersionProposal = z.strictObject({
  version: VersionId,
  source: ProposedSource,
  definition: Definition,
  probe: Probe.optional(),
  manifest: Manifest,
  supplyChain: SupplyChain.optional(),
  signature: DsseEnvelope.optional(),
});
export type VersionProposal = z.infer<typeof VersionProposal>;

export const CapabilityRegistration = z.strictObject({
  id: NameId,
  kind: Kind,
  category: NameId,
  owner: Label,
  publishers: z.array(NameId).max(64).optional(),
  version: VersionProposal,
});
export type CapabilityRegistration = z.infer<typeof CapabilityRegistration>;
