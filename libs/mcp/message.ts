import { isJsonObject, ownValue, type Json, type JsonObject } from '../kernel/canonical-json.js';

/** What a server answered to one request (JSON-RPC 2.0, section 5), as it is on the wire. */
export type McpResponse = { readonly result: JsonObject } | { readonly error: JsonObject };

/** The same answer as its reader needs it. */
export type McpReply =
  | { readonly ok: true; readonly result: JsonObject }
  | { readonly ok: false; readonly code: number; readonly message: string };

/**
 * A JSON-RPC message by its members. A `response` is every message without a method; its `response` is undefined if the
 * message holds neither a result nor an error.
 */
export type McpMessage =
  | { readonly kind: 'request'; readonly id: Json; readonly method: string; readonly params: JsonObject }
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonObject }
  | { readonly kind: 'response'; readonly id: Json | undefined; readonly response: McpResponse | undefined };

/** JSON-RPC error code: the receiver does not have the method. */
export const METHOD_NOT_FOUND = -32_601;
/** JSON-RPC error code of what this host refuses; outside of the range that JSON-RPC 2.0 reserves. */
export const REFUSED = -31_001;

export const CANCELLED = 'notifications/cancelled';
export const INITIALIZED = 'notifications/initialized';

/** An error message of a server is quoted up to this length. */
const MAX_ERROR_CHARS = 300;

/** Reads the members of a message. Attacker-controlled: anything that is no single object is a `response` without an id. */
export function messageIn(value: unknown): McpMessage {
  const object = isJsonObject(value) ? value : {};
  const [id, method] = [ownValue(object, 'id'), ownValue(object, 'method')];
  if (typeof method !== 'string') return { kind: 'response', id, response: responseIn(object) };
  const params = objectAt(object, 'params');
  return id === undefined ? { kind: 'notification', method, params } : { kind: 'request', id, method, params };
}

/** An error wins over a result: a message that has both is no success. */
function responseIn(object: JsonObject): McpResponse | undefined {
  const [result, error] = [ownValue(object, 'result'), ownValue(object, 'error')];
  if (isJsonObject(error)) return { error };
  return isJsonObject(result) ? { result } : undefined;
}

/** A response as a reply: the code 0 and an empty message stand for members that are missing or of another type. */
export function replyOf(response: McpResponse): McpReply {
  if ('result' in response) return { ok: true, result: response.result };
  const [code, message] = [ownValue(response.error, 'code'), ownValue(response.error, 'message')];
  return {
    ok: false,
    code: typeof code === 'number' ? code : 0,
    message: typeof message === 'string' ? message.slice(0, MAX_ERROR_CHARS) : '',
  };
}

/** Whether a result asks the host for something (sampling, elicitation, roots) before it comes: MCP of 2026-07-28. */
export const asksForInput = (result: JsonObject): boolean => ownValue(result, 'resultType') === 'input_required';

/** The object under a key; an empty one if there is none. */
export function objectAt(object: JsonObject, key: string): JsonObject {
  const value = ownValue(object, key);
  return isJsonObject(value) ? value : {};
}

/** What a value says as JSON, in objects that nobody else holds. */
export const copyOf = (value: unknown): Json | undefined => {
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? undefined : (JSON.parse(text) as Json);
};
