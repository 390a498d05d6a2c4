/** The questions that everyone is asked, and the one policy in three languages. */

export const CATEGORIES = ['notes', 'mail', 'ledger'] as const;
export type Category = (typeof CATEGORIES)[number];
export type Action = 'read' | 'write';

export interface User {
  readonly id: string;
  readonly role: 'staff' | 'clerk' | 'guest';
}

export interface Question {
  readonly user: User;
  readonly action: Action;
  readonly category: Category;
  readonly key: string;
  /** The expected answers of the policy. */
  readonly allowed: boolean;
}

/** 16 users: twelve of the staff, two clerks, two guests. */
export const USERS: readonly User[] = Array.from({ length: 16 }, (_, index) => ({
  id: `user-${String(index).padStart(2, '0')}`,
  role: index < 12 ? 'staff' : index < 14 ? 'clerk' : 'guest',
}));

export const CEDAR = `
@id("staff-read") permit(principal in Role::"staff", action == Action::"read", resource);
@id("staff-write-notes") permit(principal in Role::"staff", action == Action::"write", resource in Category::"notes");
@id("clerk-mail") permit(principal in Role::"clerk", action, resource in Category::"mail");
@id("guest-read-notes") permit(principal in Role::"guest", action == Action::"read", resource in Category::"notes");
@id("ledger-stands") forbid(principal, action == Action::"write", resource in Category::"ledger");
`;

export const REGO = `package bench
default allow := false
allow if { permitted; not forbidden }
permitted if { "staff" in input.user.roles; input.action == "read" }
permitted if { "staff" in input.user.roles; input.action == "write"; input.resource.category == "notes" }
permitted if { "clerk" in input.user.roles; input.resource.category == "mail" }
permitted if { "guest" in input.user.roles; input.action == "read"; input.resource.category == "notes" }
forbidden if { input.action == "write"; input.resource.category == "ledger" }
`;

const rule = (actions: string, effect: string, roles: string, category?: string): string =>
  `    - actions: [${actions}]
      effect: ${effect}
      roles: [${roles}]
${category === undefined ? '' : `      condition: { match: { expr: R.attr.category == "${category}" } }\n`}`;

export const CERBOS = `apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: operation
  version: default
  rules:
${[
  rule('read', 'EFFECT_ALLOW', 'staff'),
  rule('write', 'EFFECT_ALLOW', 'staff', 'notes'),
  rule('read, write', 'EFFECT_ALLOW', 'clerk', 'mail'),
  rule('read', 'EFFECT_ALLOW', 'guest', 'notes'),
  rule('write', 'EFFECT_DENY', '"*"', 'ledger'),
].join('')}`;

/** Two reads to one write, of every user in every category. */
export const QUESTIONS: readonly Question[] = USERS.flatMap((user) =>
  CATEGORIES.flatMap((category) =>
    (['read', 'read', 'write'] as const).map((action, index) => {
      const key = `${category}/${user.id}/${index}`;
      return { user, action, category, key, allowed: isAllowed(user, action, category) };
    }),
  ),
);

function isAllowed({ role }: User, action: Action, category: Category): boolean {
  if (action === 'write' && category === 'ledger') return false;
  if (role === 'staff') return action === 'read' || category === 'notes';
  return role === 'clerk' ? category === 'mail' : action === 'read' && category === 'notes';
}
