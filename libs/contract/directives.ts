import { z } from 'zod';
import { canonicalTarget, Target } from '../directive/target.js';
import { Beat, DirectiveView, Nonce } from '../feed/beat.js';
import { DigestText, GivenInstant, InstantText, Label, NameId, Reason, Uuid } from '../vocabulary/ids.js';
import { SourceType } from '../vocabulary/source.js';
import { named } from './components.js';
import { operation } from './operation.js';
import type { Shape } from './shape.js';
import { MAX_PAGE, pageOf, pagingOf, Position } from './shapes.js';

named('Target', Target, {
  description: 'The thing that a directive stops.',
  examples: [{ type: 'capability', capability: 'memory' }],
});
named('Directive', DirectiveView);
const DirectiveRecord = named(
  'DirectiveRecord',
  DirectiveView.extend({
    liftedInEpoch: z.int().min(1).optional(),
    liftedBy: z.string().optional(),
    liftedAt: InstantText.optional(),
    liftReason: z.string().optional(),
  }),
  { description: 'A directive with its end, if it was lifted. It is not signed: hosts follow beats.' },
);
export type DirectiveRecord = Shape<typeof DirectiveRecord>;
named('Beat', Beat, {
  description:
    'A signed statement about the directives. `active` makes it a snapshot, `directive` a change, neither a heartbeat. ' +
    '`signed` is a JWS in compact form (RFC 7515, EdDSA) with the exact signed bytes: verify it, and read the beat from its ' +
    'payload. `signature` is Ed25519 in base64url over the RFC 8785 form of all other members.',
});

const SOURCE_NEEDS = `needs a type (${SourceType.options.join(', ')}) and a name, as npm:name`;

/** A source without a known type matches nothing, so a misspelling would stop nothing. Its canonical spelling may be longer. */
const isSourceKnown = (target: Target): boolean =>
  target.type !== 'source' ||
  (SourceType.options.some((type) => target.source.startsWith(`${type}:`) && target.source !== `${type}:`) &&
    Label.safeParse(target.source).success);

const IssueDirective = named(
  'IssueDirective',
  z.strictObject({
    id: Uuid.optional(),
    target: Target.transform(canonicalTarget).refine(isSourceKnown, { path: ['source'], message: SOURCE_NEEDS }),
    reason: Reason,
    expiresAt: GivenInstant.optional(),
  }),
  { examples: [{ target: { type: 'capability', capability: 'memory' }, reason: 'it leaks notes' }] },
);

/** How much a directive stops as it is committed. */
export const Matches = named(
  'Matches',
  z.object({
    capabilities: z.int().min(0),
    versions: z.int().min(0),
    openTasks: z
      .int()
      .min(0)
      .optional()
      .describe('Open tasks that pin a version that the target can stop; absent if the index cannot say in time.'),
  }),
);
export type Matches = Shape<typeof Matches>;

const DirectiveIssued = named(
  'DirectiveIssued',
  z.object({
    id: Uuid,
    epoch: z.int().min(1),
    state: z.enum(['active', 'lifted']),
    target: Target,
    issuedAt: InstantText,
    position: Position,
    matches: Matches,
  }),
);

const AckRequest = named(
  'Acknowledgement',
  z
    .object({
      instanceId: Uuid,
      epoch: z.int().min(0),
      stateRoot: DigestText,
      appliedAt: GivenInstant,
      nonce: Nonce.optional().describe('Of the last beat of that epoch.'),
      proof: DigestText.optional().describe(
        'Shows that the instance holds the state: `sha256(JCS({active: [{id, target, epoch}, …] sorted by id, instanceId, ' +
          'nonce}))`, with `instanceId` in lower case.',
      ),
    })
    .refine(({ nonce, proof }) => (nonce === undefined) === (proof === undefined), {
      path: ['proof'],
      message: 'needs its nonce, and a nonce needs its proof',
    }),
  { description: 'The directives that an instance has applied. Unknown members are ignored.' },
);
export type AckRequest = z.infer<typeof AckRequest>;

export const Propagation = named(
  'Propagation',
  z.object({
    id: Uuid,
    epoch: z.int().min(1),
    state: z.enum(['active', 'lifted']),
    committedAt: InstantText,
    complete: z.boolean().describe('No instance can make a call that the directive stops.'),
    effectiveAt: InstantText.optional().describe("Since when it is complete, on the service's clock."),
    instances: z.array(
      z.object({
        host: NameId,
        instanceId: Uuid,
        state: z.enum(['acknowledged', 'lease_expired', 'pending']),
        at: InstantText.optional(),
        latencyMs: z.number().optional(),
        proven: z
          .boolean()
          .optional()
          .describe('Whether the instance proved that it holds the state; absent if it has not acknowledged.'),
      }),
    ),
  }),
  { description: 'How far a directive has got.' },
);
export type Propagation = Shape<typeof Propagation>;

const Jwk = z.object({
  kty: z.string(),
  crv: z.string(),
  x: z.string(),
  kid: z.string(),
  use: z.string(),
  alg: z.string(),
});
const DirectiveTerms = named(
  'DirectiveTerms',
  z.object({
    leaseMs: z.int().min(1).describe('How long a beat lets a host go on.'),
    skewMs: z.int().min(0).describe('How far the clock of a host and that of the service may differ.'),
    keys: z.array(Jwk).describe('The public keys of the feed (RFC 8037); a beat names its key by `kid`.'),
  }),
  { description: 'The keys of the directive feed, the lease and the skew of clocks.' },
);
export const Jwks = named('JwkSet', z.object({ keys: z.array(Jwk) }), { description: 'RFC 7517.' });

const OfDirective = z.object({ id: Uuid });
const Epoch = z
  .string()
  .regex(/^\d{1,15}$/, 'needs an epoch')
  .transform(Number);

export const issueDirective = operation({
  id: 'issueDirective',
  tag: 'directives',
  summary: 'Disable a target',
  description: 'From the commit on, no allow can be recorded against it. The answer counts what the target matches.',
  method: 'POST',
  path: '/v1/directives',
  roles: ['operator'],
  quota: 'directives',
  idempotencyKey: true,
  body: IssueDirective,
  answers: { 201: DirectiveIssued },
  problems: ['already_exists', 'invalid_transition'],
});

export const liftDirective = operation({
  id: 'liftDirective',
  tag: 'directives',
  summary: 'Lift a directive',
  description: 'Allows that were void stay void; calls are decided again.',
  method: 'POST',
  path: '/v1/directives/{id}/lift',
  roles: ['operator'],
  quota: 'directives',
  params: OfDirective,
  body: named('LiftDirective', z.strictObject({ reason: Reason })),
  answers: { 200: named('DirectiveLifted', z.object({ id: Uuid, epoch: z.int().min(1), position: Position })) },
  problems: ['invalid_transition'],
});

export const listDirectives = operation({
  id: 'listDirectives',
  tag: 'directives',
  summary: 'List the directives',
  description:
    'Without `state`, and with `active`, the answer is a signed snapshot of the active ones. With `instanceId`, it renews the ' +
    'lease of that instance of the host. With `lifted` or `all` the answer is a page of records, the newest first. It has each ' +
    'directive once that was there when its first page was read.',
  method: 'GET',
  path: '/v1/directives',
  rpc: 'Directives/List',
  roles: 'any',
  quota: 'directives',
  query: z.object({
    instanceId: Uuid.optional(),
    state: z.enum(['active', 'lifted', 'all']).optional(),
    ...pagingOf(MAX_PAGE).shape,
  }),
  answers: { 200: z.union([Beat, pageOf(DirectiveRecord)]) },
});

export const watchDirectives = operation({
  id: 'watchDirectives',
  tag: 'directives',
  summary: 'Follow the directives',
  description:
    'Server-sent events: a snapshot or the changes since an epoch, then each change as it is committed and a heartbeat ' +
    'a second. Each `data` is a Beat, `id` is its epoch, `event` is `snapshot`, `directive` or `heartbeat`.',
  method: 'GET',
  path: '/v1/directives/watch',
  rpcStream: 'Directives/Watch',
  roles: ['host'],
  quota: 'directives',
  query: z.object({
    sinceEpoch: Epoch.optional().describe('The epoch that the host knows; if absent, `Last-Event-ID` counts.'),
    instanceId: Uuid.optional(),
  }),
  answers: { 200: Beat },
  media: 'text/event-stream',
  problems: ['overloaded'],
});

export const getDirectiveTerms = operation({
  id: 'getDirectiveTerms',
  tag: 'directives',
  summary: 'Get the terms of the directive feed',
  description: 'A host needs them before it follows the directives.',
  method: 'GET',
  path: '/v1/directives/terms',
  rpc: 'Directives/GetTerms',
  roles: 'any',
  quota: 'directives',
  answers: { 200: DirectiveTerms },
});

export const acknowledgeDirectives = operation({
  id: 'acknowledgeDirectives',
  tag: 'directives',
  summary: 'Acknowledge directives',
  description: 'An instance has applied everything up to an epoch. It is also a sign of life.',
  method: 'POST',
  path: '/v1/directives/acks',
  rpc: 'Directives/Acknowledge',
  roles: ['host'],
  quota: 'directives',
  body: AckRequest,
  answers: { 200: named('Acknowledged', z.object({ position: Position })) },
  problems: ['ack_refused'],
});

export const getPropagation = operation({
  id: 'getPropagation',
  tag: 'directives',
  summary: 'Get how far a directive has got',
  method: 'GET',
  path: '/v1/directives/{id}/propagation',
  roles: ['operator', 'auditor'],
  quota: 'directives',
  params: OfDirective,
  answers: { 200: Propagation },
});

export const feedKeys = operation({
  id: 'feedKeys',
  tag: 'directives',
  summary: 'The public keys of the directive feed',
  method: 'GET',
  path: '/.well-known/jwks.json',
  roles: 'public',
  answers: { 200: Jwks },
});
