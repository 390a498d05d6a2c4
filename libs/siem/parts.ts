import { defined } from '../kernel/defined.js';
import { label } from './labels.js';
import type { Attributes } from './ocsf.js';

/** OCSF objects that several event types share. They hold names, ids and digests, and never content. */

const USER_TYPE = { unknown: 0, user: 1, admin: 2, system: 3, service: 4 } as const;

/** A principal of Sallyport, or one of its own parts (`system:<part>`). */
export const principal = (actor: string): Attributes => ({
  name: label(actor),
  uid: label(actor),
  type_id: actor.startsWith('system:') ? USER_TYPE.system : USER_TYPE.unknown,
});

/** Who caused an event of the control plane. */
export const byPrincipal = ({ actor }: { readonly actor: string }): Attributes => ({
  actor: { user: principal(actor) },
});

/** The person for whom an agent works, as recorded. */
export const endUser = (id: string): Attributes => ({ uid: label(id), type_id: USER_TYPE.user });

/** A host, with the task and the user that it acts for. */
export const byHost = (host: string, taskId: string | undefined, user?: string): Attributes => ({
  actor: defined({
    app_name: host,
    session: taskId === undefined ? undefined : { uid: taskId },
    user: user === undefined ? undefined : endUser(user),
  }),
});

/** The place that a call comes from: the host, and its process if it is known. */
export const endpoint = (host: string, instanceId?: string): Attributes => ({
  src_endpoint: defined({ name: host, svc_name: host, instance_uid: instanceId, type_id: 99 }),
});

export const aiAgent = (agent: string | undefined, instanceId?: string): Attributes =>
  agent === undefined ? {} : { ai_agent: defined({ name: label(agent), instance_uid: instanceId }) };

/** `memory@1.0.0`, or `memory`. */
export const versionUid = (capability: string, version?: string): string =>
  version === undefined ? capability : `${capability}@${version}`;

/** A capability, or one of its versions, as something that is managed. */
export const capabilityEntity = (capability: string, version?: string): Attributes => ({
  entity: defined({
    name: capability,
    type: 'capability',
    type_id: 99,
    uid: versionUid(capability, version),
    version,
  }),
});

/** Any other thing that is managed. */
export const entity = (type: string, uid: string, name?: string): Attributes => ({
  entity: defined({ name: name === undefined ? undefined : label(name), type, type_id: 99, uid: label(uid) }),
});

/** A capability, or one of its versions, as what was asked for or found. */
export const capabilityResource = (capability: string, version?: string, effects?: readonly string[]): Attributes => ({
  resources: [
    defined({
      name: capability,
      uid: versionUid(capability, version),
      type: 'capability',
      version,
      labels: effects?.map(label),
      role_id: 1,
    }),
  ],
});

/** The compiled schema ties `api` to the profile `cloud`, which needs a provider. The service does not know where it runs. */
export const UNKNOWN_CLOUD: Attributes = { cloud: { provider: 'unknown' } };
