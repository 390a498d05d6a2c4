import type { CallFacts } from '../contract/evidence.js';
import type { KeyReading } from '../payloads/keyring.js';
import { isPseudonymous } from '../task/content.js';
import type { TaskState } from '../task/decider.js';

/** Finds the people behind pseudonyms, for auditors. */
export type Users = Pick<KeyReading, 'knownPseudonym' | 'userOf'>;

/**
 * A user as auditors see it. `id` is the pseudonym if the user was erased. `pseudonym` is absent if the events of the
 * task hold the id itself, as they did before pseudonyms.
 */
export type ShownUser = NonNullable<CallFacts['user']>;

/** Asks for each pseudonym once. For one request: an erased user must not outlive the erasure. */
export function rememberedUsers(users: Users): Users {
  const asked = new Map<string, Promise<string | undefined>>();
  return {
    knownPseudonym: (userId) => users.knownPseudonym(userId),
    userOf(pseudonym) {
      const user = asked.get(pseudonym) ?? users.userOf(pseudonym);
      asked.set(pseudonym, user);
      return user;
    },
  };
}

/** A user as the events of a task hold it. */
export function recordedUser(task: Pick<TaskState, 'commitments' | 'user'>): ShownUser {
  const { id, roles, attestedBy } = task.user;
  return isPseudonymous(task) ? { id, pseudonym: id, roles, attestedBy } : { id, roles, attestedBy };
}

/** The same with the real id, if the key of the pseudonym is there. Throws `KeyringUnavailable`. */
export async function resolvedUser(users: Users, user: ShownUser): Promise<ShownUser> {
  const { pseudonym } = user;
  const id = pseudonym === undefined ? undefined : await users.userOf(pseudonym);
  return id === undefined ? user : { ...user, id };
}

/** The names under which events may hold somebody: as given, and the pseudonym of a user with that id. */
export async function namesOf(users: Users, identity: string): Promise<string[]> {
  const pseudonym = await users.knownPseudonym(identity);
  return pseudonym === undefined ? [identity] : [identity, pseudonym];
}
