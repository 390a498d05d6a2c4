import { z } from 'zod';
import { InstantText, KeyId, Label, NameId, Reason } from '../vocabulary/ids.js';
import { KeyAlgorithm, ReviewVerdict } from '../vocabulary/words.js';
import { named } from './components.js';
import { operation } from './operation.js';
import type { Shape } from './shape.js';
import { MAX_PAGE, pageOf, Position } from './shapes.js';

const PublisherKeyView = z.object({
  keyId: KeyId,
  algorithm: KeyAlgorithm,
  publicKey: z.string().describe('PEM of the SPKI.'),
  status: z.enum(['pending', 'active', 'rejected', 'revoked', 'expired']),
  notAfter: InstantText.optional(),
  proposedBy: z.string(),
  reviewedBy: z.string().optional(),
});

export const PublisherView = named(
  'Publisher',
  z.object({
    id: NameId,
    name: Label,
    status: z.enum(['active', 'revoked']),
    keys: z.array(PublisherKeyView),
    capabilities: z.array(NameId).describe('Those that it may sign for.'),
  }),
  { description: 'A named holder of keys that sign manifests.' },
);
export type PublisherView = Shape<typeof PublisherView>;

const PublisherChanged = named('PublisherChanged', PublisherView.extend({ position: Position }));
export type PublisherChanged = Shape<typeof PublisherChanged>;

const KeyChanged = named(
  'KeyChanged',
  z.object({ publisher: NameId, keyId: KeyId, status: PublisherKeyView.shape.status, position: Position }),
);
export type KeyChanged = Shape<typeof KeyChanged>;

const OfPublisher = z.object({ id: NameId });
const OfKey = OfPublisher.extend({ keyId: KeyId });
const WithReason = z.strictObject({ reason: Reason });
const WithVerdict = named('Verdict', z.strictObject({ verdict: ReviewVerdict, reason: Reason }));

export const registerPublisher = operation({
  id: 'registerPublisher',
  tag: 'publishers',
  summary: 'Register a publisher',
  method: 'POST',
  path: '/v1/publishers',
  roles: ['registrar'],
  body: named('RegisterPublisher', z.strictObject({ id: NameId, name: Label }), {
    examples: [{ id: 'acme', name: 'Acme Tools' }],
  }),
  answers: { 201: PublisherChanged },
  location: '/v1/publishers/{id}',
  problems: ['already_exists'],
});

export const listPublishers = operation({
  id: 'listPublishers',
  tag: 'publishers',
  summary: 'List publishers',
  description: 'In order of their ids.',
  method: 'GET',
  path: '/v1/publishers',
  roles: 'any',
  paging: MAX_PAGE,
  answers: { 200: pageOf(PublisherView) },
});

export const getPublisher = operation({
  id: 'getPublisher',
  tag: 'publishers',
  summary: 'Get a publisher with its keys',
  method: 'GET',
  path: '/v1/publishers/{id}',
  roles: 'any',
  params: OfPublisher,
  answers: { 200: PublisherView },
});

export const proposeKey = operation({
  id: 'proposeKey',
  tag: 'publishers',
  summary: 'Propose a key of a publisher',
  description: 'It counts once somebody other than the proposer has approved it. A key id is given once.',
  method: 'POST',
  path: '/v1/publishers/{id}/keys',
  roles: ['registrar'],
  params: OfPublisher,
  body: named(
    'ProposeKey',
    z.strictObject({
      keyId: KeyId,
      algorithm: KeyAlgorithm,
      publicKey: z.string().min(1).max(4096).describe('PEM of one public key. A private key is refused.'),
      notAfter: InstantText.optional().describe('From then on, the key signs nothing.'),
    }),
  ),
  answers: { 201: KeyChanged },
  problems: ['already_exists', 'invalid_transition'],
});

export const reviewKey = operation({
  id: 'reviewKey',
  tag: 'publishers',
  summary: 'Approve or reject a key',
  method: 'POST',
  path: '/v1/publishers/{id}/keys/{keyId}/review',
  roles: ['reviewer'],
  params: OfKey,
  body: WithVerdict,
  answers: { 200: KeyChanged },
  problems: ['self_review', 'invalid_transition'],
});

export const revokeKey = operation({
  id: 'revokeKey',
  tag: 'publishers',
  summary: 'Revoke a key permanently',
  description: 'A directive in the same commit stops the calls that rest on it. Another key may still carry a version.',
  method: 'POST',
  path: '/v1/publishers/{id}/keys/{keyId}/revoke',
  roles: ['reviewer', 'operator'],
  params: OfKey,
  body: WithReason,
  answers: { 200: KeyChanged },
  problems: ['invalid_transition'],
});

export const revokePublisher = operation({
  id: 'revokePublisher',
  tag: 'publishers',
  summary: 'Revoke a publisher and all of its keys',
  description: 'A directive against `publisher:<id>` in the same commit stops every capability that it may sign for.',
  method: 'POST',
  path: '/v1/publishers/{id}/revoke',
  roles: ['reviewer', 'operator'],
  params: OfPublisher,
  body: WithReason,
  answers: { 200: PublisherChanged },
  problems: ['invalid_transition'],
});
