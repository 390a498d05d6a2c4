import { capabilityDecider } from '../../libs/capability/decider.js';
import type { Diff } from '../../libs/capability/diff.js';
import { capabilityEventSchemas, type CapabilityEvent } from '../../libs/capability/events.js';
import { at, digest, specified, uuid } from './given.js';

/** Facts of one capability with one version or more, as suites of its decider tell them. */

export const given = specified(capabilityDecider, capabilityEventSchemas);
export type Of<Type extends CapabilityEvent['type']> = Extract<CapabilityEvent, { type: Type }>;

export const registration: Of<'CapabilityRegistered'>['data'] = {
  capability: 'memory',
  kind: 'mcp-server',
  category: 'notes',
  owner: 'team',
  publishers: [],
  requestDigest: digest('registration'),
};
export const proposal = (
  version = '1',
  more: Partial<Of<'VersionProposed'>['data']> = {},
): Of<'VersionProposed'>['data'] => ({
  capability: 'memory',
  version,
  source: { type: 'npm', name: 'memory' },
  definitionDigest: digest(`definition ${version}`),
  documents: { definition: digest('d'), manifest: digest('m') },
  operations: { recall: { effects: ['read'] } },
  sensitivity: 'internal',
  server: { method: 'none' },
  requestDigest: digest(`proposal ${version}`),
  ...more,
});
export const by = (actor: string, minute = 0) => ({ actor, time: at(minute) });

export const registered: CapabilityEvent = { type: 'CapabilityRegistered', data: registration, ...by('rita') };
export const proposed = (version = '1', more: Partial<Of<'VersionProposed'>['data']> = {}): CapabilityEvent => ({
  type: 'VersionProposed',
  data: proposal(version, more),
  ...by('rita'),
});
/** The weaknesses of the version: it is unsigned, and its server proves nothing. */
export const EXCEPTED = ['server_unauthenticated', 'signature_missing'] as const;
export const of = (version = '1') => ({ capability: 'memory', version });
export const reviewed = (verdict: 'approved' | 'rejected' = 'approved', version = '1'): CapabilityEvent => ({
  type: 'VersionReviewed',
  data: { ...of(version), verdict, reason: 'r', exceptions: verdict === 'approved' ? [...EXCEPTED] : [] },
  ...by('vera'),
});
export const suspended = (actor = 'otto', more: Partial<Of<'VersionSuspended'>['data']> = {}): CapabilityEvent => ({
  type: 'VersionSuspended',
  data: { ...of(), reason: 'r', cause: 'decision', directiveId: uuid(1), ...more },
  ...by(actor),
});
export const reinstated: Of<'VersionReinstated'> = {
  type: 'VersionReinstated',
  data: { ...of(), reason: 'r', directiveId: uuid(1) },
  ...by('vera'),
};
export const revoked: CapabilityEvent = {
  type: 'VersionRevoked',
  data: { ...of(), reason: 'r', directiveId: uuid(2) },
  ...by('otto'),
};
export const diff: Diff = {
  severity: 'cosmetic',
  changes: [{ path: '/instructions', kind: 'changed', severity: 'cosmetic' }],
};
export const drift = (
  seen: string,
  actor = 'hank',
  minute = 100,
  snapshot = true,
  more: { withoutTask?: true } = {},
): CapabilityEvent => ({
  type: 'DriftObserved',
  data: {
    ...of(),
    host: actor,
    observedDigest: digest(seen),
    diff,
    ...(snapshot ? { snapshot: digest(`blob ${seen}`) } : {}),
    ...more,
  },
  ...by(actor, minute),
});
export const stopped = (
  scope: { directiveId: string } | { host: string },
  actor = 'hank',
  minute = 100,
): CapabilityEvent => ({
  type: 'VersionSuspended',
  data: { ...of(), reason: 'drift: cosmetic', cause: 'drift', ...scope },
  ...by(actor, minute),
});
