import { isJsonObject, type Json, type JsonObject } from '../kernel/canonical-json.js';
import type { TaskState } from './decider.js';

/** The content of a task, to which its events only commit. */
export interface TaskContent {
  readonly purpose: string;
  readonly attributes: JsonObject;
  /** The id of the user, which policies see. Undefined if the content was not read. */
  readonly userId?: string | undefined;
}

/** Whether the events of a task hold a pseudonym and not the id of the user. */
export const isPseudonymous = ({ commitments }: Pick<TaskState, 'commitments'>): boolean =>
  commitments.user !== undefined;

/** The content in a payload record. `task` is the TaskOpened that commits to it. Undefined if a part is missing. */
export function taskContentOf(
  { purpose, attributes, user }: Readonly<Record<string, Json>>,
  task: Pick<TaskState, 'commitments' | 'user'>,
): TaskContent | undefined {
  const userId = isPseudonymous(task) ? user : task.user.id;
  if (typeof purpose !== 'string' || !isJsonObject(attributes) || typeof userId !== 'string') return undefined;
  return { purpose, attributes, userId };
}
