import { randomUUID } from 'node:crypto';
import type { Role } from '../../libs/vocabulary/words.js';
import type { Answered, TestService } from './service.js';
import { approve, expecting, proposal, register } from './world.js';

/** A name that no other test of the service has. */
export const unique = (prefix: string): string => `${prefix}-${randomUUID().slice(0, 8)}`;

export interface Actor {
  readonly name: string;
  readonly token: string;
}

/** Another principal than the local ones. */
export async function addPrincipal(
  service: TestService,
  roles: readonly Role[],
  host?: Record<string, unknown>,
): Promise<Actor> {
  const name = unique(roles[0] ?? 'none');
  const body = { name, roles, ...(host === undefined ? {} : { host }) };
  const { token } = expecting(201, await service.call('admin', 'POST', '/v1/principals', body));
  return { name, token };
}

/** A capability of a test's own, with its first version approved. */
export async function newCapability(service: TestService, version: Answered = proposal()): Promise<string> {
  const id = unique('cap');
  await register(service, id, version);
  await approve(service, id, version.version);
  return id;
}

/** Proposes another version of a capability and approves it. */
export async function newVersion(service: TestService, id: string, version: Answered): Promise<void> {
  expecting(201, await service.call('registrar', 'POST', `/v1/capabilities/${id}/versions`, version));
  await approve(service, id, version.version);
}

/** A scope over one capability, for everything that it reads and writes. */
export const scopeOf = (capability: string, more: Record<string, unknown> = {}): Answered => [
  { capability, effects: ['read', 'write'], ...more },
];

/** A command on a version: review, suspend, reinstate or revoke, with a reason. */
export function versionCommand(
  service: TestService,
  who: Role | Actor,
  id: string,
  command: string,
  more: Record<string, unknown> = {},
  version = '1.0.0',
): ReturnType<TestService['call']> {
  const body = { reason: 'test', ...more };
  return service.call(who, 'POST', `/v1/capabilities/${id}/versions/${version}/${command}`, body);
}
