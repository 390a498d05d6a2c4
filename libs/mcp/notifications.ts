import { isJsonObject, ownValue, type Json, type JsonObject } from '../kernel/canonical-json.js';

/** Readers of the members that reach the client, by method. They keep no text of a server, except ids that a client compares. */
const SHOWN: ReadonlyMap<string, Readonly<Record<string, (value: Json) => Json | undefined>>> = new Map<
  string,
  Record<string, (value: Json) => Json | undefined>
>([
  ['notifications/tools/list_changed', {}],
  ['notifications/prompts/list_changed', {}],
  ['notifications/resources/list_changed', {}],
  ['notifications/cancelled', { requestId: idIn }],
  ['notifications/progress', { progressToken: idIn, progress: numberIn, total: numberIn }],
  ['notifications/subscriptions/acknowledged', { notifications: flagsIn }],
]);
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';

/**
 * The params of a server's notification as its client gets them; undefined if it gets no such notification. A host may
 * show its text to an agent, and nobody has searched it. So log messages and unknown notifications are dropped, and
 * progress has no message.
 */
export function shownNotification(method: string, params: JsonObject): JsonObject | undefined {
  const members = SHOWN.get(method);
  if (members === undefined) return undefined;
  const shown = Object.entries(members).flatMap(([name, read]) => {
    const value = ownValue(params, name);
    const kept = value === undefined ? undefined : read(value);
    return kept === undefined ? [] : [[name, kept] as const];
  });
  const meta = ownValue(params, '_meta');
  const subscription = isJsonObject(meta) ? ownValue(meta, SUBSCRIPTION) : undefined;
  const id = subscription === undefined ? undefined : idIn(subscription);
  return { ...Object.fromEntries(shown), ...(id === undefined ? {} : { _meta: { [SUBSCRIPTION]: id } }) };
}

/** Without white space and short, so it holds no sentence. */
function idIn(value: Json): Json | undefined {
  return numberIn(value) ?? (typeof value === 'string' && /^[\w.:-]{1,64}$/.test(value) ? value : undefined);
}

function numberIn(value: Json): Json | undefined {
  return typeof value === 'number' ? value : undefined;
}

function flagsIn(value: Json): Json | undefined {
  if (!isJsonObject(value)) return undefined;
  const flags = Object.entries(value).filter(([name, flag]) => /^\w{1,32}$/.test(name) && typeof flag === 'boolean');
  return Object.fromEntries(flags);
}
