import { z } from 'zod';
import type { Decider } from '../kernel/decider.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok } from '../kernel/result.js';
import type { Instant } from '../kernel/time.js';
import { DigestText, Label, NameId, Uuid } from '../vocabulary/ids.js';
import { Role } from '../vocabulary/words.js';

/** The ceilings of a host's tasks (an absent list sets none), and the effect of its reports. */
export const HostRights = z.strictObject({
  agents: z.array(Label).max(1000).optional(),
  userRoles: z.array(Label).max(1000).optional(),
  capabilities: z.array(NameId).max(1000).optional(),
  /** A drift that this host reports suspends the version for all hosts, without a second report. */
  mayStop: z.boolean().optional(),
});
export type HostRights = z.infer<typeof HostRights>;

/** Facts of stream `principal-<name>`. A token is known by its SHA-256 alone. */
export const PrincipalAdded = z.strictObject({
  name: NameId,
  roles: z.array(Role),
  host: HostRights.optional(),
  tokenDigest: DigestText,
  /** The user whose word an approval of this principal is. Absent in version 1. */
  user: Label.optional(),
});
export const TokenRotated = z.strictObject({ name: NameId, tokenDigest: DigestText });
/** `directiveId` names the directive that stops a removed host's running tasks. */
export const PrincipalRemoved = z.strictObject({ name: NameId, directiveId: Uuid.optional() });
export const principalEventSchemas = { PrincipalAdded, TokenRotated, PrincipalRemoved } as const;

export type PrincipalEvent = { readonly actor: string; readonly time: Instant } & (
  | { readonly type: 'PrincipalAdded'; readonly data: z.infer<typeof PrincipalAdded> }
  | { readonly type: 'TokenRotated'; readonly data: z.infer<typeof TokenRotated> }
  | { readonly type: 'PrincipalRemoved'; readonly data: z.infer<typeof PrincipalRemoved> }
);

/** The actor and the time of a change. */
export interface Signature {
  readonly by: string;
  readonly at: Instant;
}

export type PrincipalState =
  | {
      readonly name: string;
      readonly roles: readonly Role[];
      readonly host?: HostRights | undefined;
      readonly user?: string | undefined;
      readonly tokenDigest: string;
      readonly removed: boolean;
      /** The changes that an admin made, for the list of principals. Decisions do not read them. */
      readonly added: Signature;
      readonly rotated?: Signature | undefined;
      readonly gone?: Signature | undefined;
    }
  | undefined;

export type PrincipalCommand = { readonly actor: string; readonly time: Instant } & (
  | { readonly type: 'add'; readonly principal: z.infer<typeof PrincipalAdded> }
  | { readonly type: 'rotate'; readonly tokenDigest: z.infer<typeof DigestText> }
  | { readonly type: 'remove'; readonly directiveId: string }
);

export const principalDecider: Decider<PrincipalState, PrincipalCommand, PrincipalEvent, Refusal> = {
  initialState: () => undefined,
  decide(command, state) {
    const { actor, time } = command;
    if (command.type === 'add') {
      if (state !== undefined) return err(refusal('already_exists', 'a name is given once, also after a removal'));
      return ok([{ type: 'PrincipalAdded', data: command.principal, actor, time }]);
    }
    if (state === undefined || state.removed) return err(refusal('not_found', 'no such principal'));
    const { name } = state;
    if (command.type === 'rotate') {
      return ok([{ type: 'TokenRotated', data: { name, tokenDigest: command.tokenDigest }, actor, time }]);
    }
    const stop = state.roles.includes('host') ? { directiveId: command.directiveId } : {};
    return ok([{ type: 'PrincipalRemoved', data: { name, ...stop }, actor, time }]);
  },
  evolve(state, event) {
    if (event.type === 'PrincipalAdded') {
      const { name, roles, host, user, tokenDigest } = event.data;
      return { name, roles, host, user, tokenDigest, removed: false, added: signatureOf(event) };
    }
    if (state === undefined) throw new Error(`${event.type} before PrincipalAdded`);
    if (event.type === 'TokenRotated') {
      return { ...state, tokenDigest: event.data.tokenDigest, rotated: signatureOf(event) };
    }
    return { ...state, removed: true, gone: signatureOf(event) };
  },
};

const signatureOf = ({ actor, time }: PrincipalEvent): Signature => ({ by: actor, at: time });
