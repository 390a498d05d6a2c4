import { z } from 'zod';
import { HostRights } from '../principal/decider.js';
import { InstantText, Label, NameId } from '../vocabulary/ids.js';
import { Role } from '../vocabulary/words.js';
import { named } from './components.js';
import { operation } from './operation.js';
import type { Shape } from './shape.js';
import { MAX_PAGE, pageOf, Position } from './shapes.js';

named('HostRights', HostRights, {
  description: 'Ceilings for the tasks of a host. An absent list sets no ceiling.',
});

const UserId = Label.describe('The user whose word an approval of this principal is, by the id that hosts give to it.');

export const AddPrincipal = named(
  'AddPrincipal',
  z.strictObject({
    name: NameId,
    roles: z.array(Role).min(1).max(Role.options.length),
    host: HostRights.optional(),
    user: UserId.optional(),
  }),
  {
    examples: [
      { name: 'agents-eu', roles: ['host'], host: { capabilities: ['memory'] } },
      { name: 'ada', roles: ['approver'], user: 'ada' },
    ],
  },
);
export type AddPrincipal = z.infer<typeof AddPrincipal>;

export const PrincipalView = named(
  'Principal',
  z.object({
    name: NameId,
    roles: z.array(Role),
    host: HostRights.optional(),
    user: UserId.optional(),
    state: z.enum(['active', 'removed']),
    addedBy: z.string(),
    addedAt: InstantText,
    tokenRotatedBy: z.string().optional(),
    tokenRotatedAt: InstantText.optional().describe('Of the token that is valid now; absent if it is the first one.'),
    removedBy: z.string().optional(),
    removedAt: InstantText.optional(),
  }),
  { description: 'A caller of the service, and the changes that an admin made to it. It never holds a token.' },
);
export type PrincipalView = Shape<typeof PrincipalView>;

const Token = z.string().describe('The bearer token. The service shows it once and keeps only its SHA-256.');

const OfPrincipal = z.object({ name: NameId });
const noStore = { 'cache-control': 'no-store' } as const;

export const addPrincipal = operation({
  id: 'addPrincipal',
  tag: 'principals',
  summary: 'Add a principal',
  description: 'The token is in the first answer only: the same request again is answered without it.',
  method: 'POST',
  path: '/v1/principals',
  roles: ['admin'],
  body: AddPrincipal,
  answers: {
    201: named(
      'PrincipalAdded',
      z.object({
        name: NameId,
        roles: z.array(Role),
        user: z.string().optional(),
        token: Token.optional(),
        position: Position,
      }),
    ),
  },
  headers: noStore,
  problems: ['already_exists'],
});

export const listPrincipals = operation({
  id: 'listPrincipals',
  tag: 'principals',
  summary: 'List principals',
  description:
    'In order of their names. Without `state`, those that were removed are left out. No answer holds a token, or its digest.',
  method: 'GET',
  path: '/v1/principals',
  roles: ['admin'],
  query: z.object({ state: z.enum(['active', 'removed', 'all']).optional().describe('`active` if absent.') }),
  paging: MAX_PAGE,
  answers: { 200: pageOf(PrincipalView) },
});

export const rotateToken = operation({
  id: 'rotateToken',
  tag: 'principals',
  summary: "Replace a principal's token",
  description: 'The old token is void at once, also for requests in flight and open watches.',
  method: 'POST',
  path: '/v1/principals/{name}/rotate',
  roles: ['admin'],
  params: OfPrincipal,
  body: z.strictObject({}).nullish(),
  answers: { 200: named('TokenRotated', z.object({ token: Token, position: Position })) },
  headers: noStore,
});

export const removePrincipal = operation({
  id: 'removePrincipal',
  tag: 'principals',
  summary: 'Remove a principal',
  description:
    'The last admin cannot be removed. Removing a host also issues a directive against `host:<name>`, which stops its ' +
    'running tasks.',
  method: 'DELETE',
  path: '/v1/principals/{name}',
  roles: ['admin'],
  params: OfPrincipal,
  answers: { 204: z.void() },
  problems: ['invalid_transition'],
});
