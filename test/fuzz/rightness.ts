import { isUtf8 } from 'node:buffer';
import { parseStrictJson } from '../../libs/kernel/strict-json.js';
import { definitionDigestOf } from '../support/calls.js';
import type { Answered } from '../support/service.js';
import { INTEGRITY } from '../support/world.js';

const MAX_DEPTH = 64;

/** The permitted calls of the ready world, and their arguments. */
const OPERATIONS: Readonly<Record<string, (args: Answered) => boolean>> = {
  recall: (args) => Object.hasOwn(args, 'key') && typeof args.key === 'string',
  store: () => true,
  count: () => true,
};

/**
 * Why a body must not be allowed in the ready world; undefined where it may be. Says the rules in other words than the
 * service does, and reads the bytes that were sent, not what was meant.
 */
export function whyNotAllowed(bytes: Buffer, task: Answered): string | undefined {
  if (!isUtf8(bytes)) return 'no UTF-8';
  const parsed = parseStrictJson(bytes.toString('utf8'), MAX_DEPTH);
  if (!parsed.ok) return parsed.error.message;
  const body = parsed.value as Answered;
  if (typeof body?.taskId !== 'string' || body.taskId.toLowerCase() !== task.taskId) return 'another task';
  if (body.capability !== task.pins[0].capability || ![undefined, '1.0.0'].includes(body.version))
    return 'another capability';
  const args = body.arguments;
  if (typeof args !== 'object' || args === null || Array.isArray(args)) return 'no arguments';
  // Before the first byte to a server nothing is called yet. The host may connect with any arguments.
  const connecting = body.operation === '$connect';
  if (!connecting && (!Object.hasOwn(OPERATIONS, body.operation) || OPERATIONS[body.operation]?.(args) !== true))
    return 'its arguments';
  if (!connecting && hasReservedKey(args)) return 'an entity among the arguments';
  const { definitionDigest, definition, server } = body.observed ?? {};
  if (server?.method !== 'package' || server.integrity !== INTEGRITY) return 'another server';
  const pinned = task.pins[0].definitionDigest;
  if (definitionDigest !== undefined && definitionDigest !== pinned) return 'another definition by its digest';
  if (definition === undefined) return definitionDigest === undefined && !connecting ? 'no definition' : undefined;
  return definitionDigestOf(definition) === pinned ? undefined : 'another definition';
}

function hasReservedKey(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(
    ([key, member]) => ['__entity', '__extn', '__expr'].includes(key) || hasReservedKey(member),
  );
}
