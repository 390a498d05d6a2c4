import type { Answered, Callable } from '../support/service.js';
import { approve, callBody, expecting, proposal, registration, taskBody } from '../support/world.js';

/** The costliest content that hosts can send, as large as the bounds let it be. */

const MIB = 1_048_576;
const VALUES = 49_000;

/** Members in the worst order, each key long and none in place. */
function members(bytes: number, value: string): Record<string, string> {
  const key = Math.max(8, Math.floor(bytes / VALUES) - value.length - 6);
  return Object.fromEntries(
    Array.from({ length: VALUES }, (_, index) => {
      const name = ((index * 7919) % VALUES).toString(36).padStart(4, '0');
      return [`${name}${'k'.repeat(key - name.length)}`, value];
    }),
  );
}

/** Each makes the result of an answer. */
export const COSTLY = {
  'members out of order': () => ({ content: [], structuredContent: members(7.8 * MIB, 'v') }),
  'one text of marks and escapes': () => ({
    content: [{ type: 'text', text: '<|im_start|>\u0001"\\\u200b </s>'.repeat(270_000) }],
  }),
  'structured content beside the same as text': () => {
    const structuredContent = members(3.55 * MIB, '<s>"é');
    return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent };
  },
  'more values than are taken': () => ({
    content: [],
    structuredContent: Object.fromEntries(
      Array.from({ length: 200_000 }, (_, index) => [`${999_999 - index}${'k'.repeat(30)}`, 1]),
    ),
  }),
} satisfies Readonly<Record<string, () => Answered>>;

export type Kind = keyof typeof COSTLY;

/** Values of a schema that tries each member against patterns. */
const outputSchema = {
  type: 'object',
  additionalProperties: { anyOf: Array.from({ length: 12 }, (_, index) => ({ pattern: `^(v|w|vw)*x${index}$` })) },
};

/** A definition whose tool has that schema, about as large as one may be. */
function costlyDefinition(): Answered {
  const resources = Array.from({ length: 300 }, (_, index) =>
    Object.fromEntries(Array.from({ length: 60 }, (_each, at) => [`${60 - at}k${index}${'d'.repeat(170)}`, 'v'])),
  );
  const tool = { name: 'dump', inputSchema: { type: 'object' }, outputSchema, description: 'Dumps.' };
  const plain = { name: 'list', inputSchema: { type: 'object' }, _meta: { of: resources } };
  return { tools: [tool, plain] };
}

const OPERATIONS = { dump: { effects: ['read'] }, list: { effects: ['read'] } };
const COSTLY_ID = 'costly';

/** The capability whose server answers like that, approved. */
export async function registerCostly(service: Callable): Promise<void> {
  const version = proposal('1.0.0', { definition: costlyDefinition() });
  version.manifest.operations = OPERATIONS;
  expecting(201, await service.call('registrar', 'POST', '/v1/capabilities', registration(COSTLY_ID, version)));
  await approve(service, COSTLY_ID);
}

/** So many allowed calls of a host to that server; every second one has a costly output schema. */
export async function allowedCalls(service: Callable, token: string, count: number): Promise<AllowedCalls> {
  const scope = [{ capability: COSTLY_ID, effects: ['read'] }];
  const task = expecting(201, await service.call({ token }, 'POST', '/v1/tasks', taskBody({ scope })));
  const callIds = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const operation = index % 2 === 0 ? 'dump' : 'list';
      const call = callBody(task, { capability: COSTLY_ID, operation, arguments: {} });
      const { decision, reason } = expecting(200, await service.call({ token }, 'POST', '/v1/calls/authorize', call));
      if (decision !== 'allow' && reason !== 'view_stale') throw new Error(`denied: ${reason}`);
      return String(call.callId);
    }),
  );
  return { taskId: String(task.taskId), callIds };
}

export interface AllowedCalls {
  readonly taskId: string;
  readonly callIds: readonly string[];
}
