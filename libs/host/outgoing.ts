import { isDeepStrictEqual } from 'node:util';
import { isJsonObject, ownValue, type Json, type JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import type { McpRequest } from './mcp.js';

/** JSON-RPC error code of what this host refuses; outside of the range that JSON-RPC 2.0 reserves. */
export const REFUSED = -31_001;

/** A message that the guard did not send, and that may not leave without it. It has the members of a JSON-RPC error. */
export class NotGuarded extends Error {
  override readonly name = 'NotGuarded';
  readonly code = REFUSED;
  readonly data = { reason: 'not_guarded' } as const;

  constructor(what: string) {
    super(`the host refused to send ${what}: only the guard makes calls over this transport`);
  }
}

/** Decides message by message what a client may send over a guarded transport. */
export interface Outgoing {
  /** Lets one request out, once: the one with this `traceparent`, with the same method and equal params. */
  expect(traceparent: string, request: McpRequest, signal: AbortSignal): void;
  /** Whether that request has left. */
  hasLeft(traceparent: string): boolean;
  /** Takes the expectation back, and forgets the request. */
  forget(traceparent: string): void;
  /** The message as it may leave, a copy that nobody else holds. Throws `NotGuarded`. */
  admit(message: unknown, options: object | undefined): Admitted;
  /** Whether a request of this id has left and is not answered. */
  isUnanswered(id: unknown): boolean;
  /** A request of this id was answered. Gives the `traceparent` that it was expected by. */
  answered(id: unknown): string | undefined;
  /** Runs the handshake: only meanwhile may the transport start and may a client greet the server. */
  connecting<Made>(work: () => Promise<Made>): Promise<Made>;
  isConnecting(): boolean;
  /** From now on nothing leaves. */
  close(): void;
}

/** What may leave. It may leave again, after the transport has authenticated itself, until `signal` is aborted. */
export interface Admitted {
  readonly message: JsonObject;
  readonly signal: AbortSignal;
  /** The mark of the request that the guard sends by it. */
  readonly traceparent: string | undefined;
}

const INITIALIZED = 'notifications/initialized';
/**
 * Requests that read what a server declares, or that it lives. The guard observes what they bring; a program that sends
 * them by its client (`client.listTools()`) gets the raw answer.
 */
const HARMLESS = new Set([
  'ping',
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
]);
const LISTEN = 'subscriptions/listen';
const LISTENS_FOR = new Set(['toolsListChanged', 'promptsListChanged', 'resourcesListChanged']);
const CANCELLED = 'notifications/cancelled';
const META = 'io.modelcontextprotocol/';
/** What the SDKs themselves put into `_meta`; other members would leave undecided. */
const META_KEYS = ['progressToken', `${META}protocolVersion`, `${META}clientInfo`, `${META}clientCapabilities`];

interface Expected {
  readonly request: McpRequest;
  readonly signal: AbortSignal;
  /** The id that it left under; undefined before. */
  id?: unknown;
}

export function outgoingOf(): Outgoing {
  const expected = new Map<string, Expected>();
  /** Requests that have left and are not answered, by id, with the `traceparent` of those that the guard sent. */
  const unanswered = new Map<unknown, string | undefined>();
  const closing = new AbortController();
  let phase: 'idle' | 'connecting' | 'open' = 'idle';

  /** The expectation that a message meets, once. */
  const metBy = ({ id, method, params, meta }: Sent): { traceparent: string; signal: AbortSignal } | undefined => {
    const traceparent = ownValue(meta, 'traceparent');
    const one = typeof traceparent === 'string' ? expected.get(traceparent) : undefined;
    if (one === undefined || one.id !== undefined || id === undefined || one.request.method !== method)
      return undefined;
    if (!isDeepStrictEqual(without(params, '_meta'), copyOf(one.request.params ?? {}))) return undefined;
    one.id = id;
    return { traceparent: traceparent as string, signal: AbortSignal.any([one.signal, closing.signal]) };
  };

  /** Whether a message may leave without the guard. */
  const isHarmless = ({ id, method, params }: Sent): boolean => {
    const { cursor, ...more } = without(params, '_meta');
    if (id === undefined) {
      if (method === CANCELLED) return unanswered.has(params['requestId']);
      return method === INITIALIZED && phase === 'connecting';
    }
    if (method === 'initialize') return phase === 'connecting';
    if (method === LISTEN) return listensForLists(params);
    return HARMLESS.has(method) && Object.keys(more).length === 0 && ['undefined', 'string'].includes(typeof cursor);
  };

  return {
    expect: (traceparent, request, signal) => void expected.set(traceparent, { request, signal }),
    hasLeft: (traceparent) => expected.get(traceparent)?.id !== undefined,
    forget(traceparent) {
      const id = expected.get(traceparent)?.id;
      expected.delete(traceparent);
      if (unanswered.get(id) === traceparent) unanswered.delete(id);
    },
    admit(message, options = {}) {
      const sent = sentOf(message);
      const { id, method, params } = sent;
      const refused = () => new NotGuarded(method.slice(0, 100));
      const isRequest = id !== undefined;
      // A stream that is taken up again brings answers that nobody here has asked for.
      const resumes = 'resumptionToken' in options && options.resumptionToken !== undefined;
      if (closing.signal.aborted || phase === 'idle' || resumes) throw refused();
      if (isRequest && unanswered.has(id)) throw refused();
      const met = metBy(sent);
      if (met === undefined && !isHarmless(sent)) throw refused();
      if (isRequest) unanswered.set(id, met?.traceparent);
      // A call tells its trace to the server. A list is what the client would send without a guard.
      const trace = met === undefined || HARMLESS.has(method) ? {} : { traceparent: met.traceparent };
      // Nobody decides a notification, so it takes no text of the program with it, such as the reason of a cancellation.
      const withMeta = isRequest ? { ...pick(sent.meta, META_KEYS), ...trace } : {};
      const reduced = defined({
        ...(isRequest ? without(params, '_meta') : pick(params, ['requestId'])),
        _meta: Object.keys(withMeta).length === 0 ? undefined : withMeta,
      });
      return {
        message: defined({
          jsonrpc: '2.0',
          id: isRequest ? id : undefined,
          method,
          params: sent.hasParams ? reduced : undefined,
        }),
        signal: met?.signal ?? closing.signal,
        traceparent: met?.traceparent,
      };
    },
    isUnanswered: (id) => unanswered.has(id),
    answered(id) {
      const traceparent = unanswered.get(id);
      unanswered.delete(id);
      return traceparent;
    },
    async connecting(work) {
      phase = 'connecting';
      try {
        return await work();
      } finally {
        phase = 'open';
      }
    },
    isConnecting: () => phase === 'connecting' && !closing.signal.aborted,
    close: () => closing.abort(),
  };
}

/** A message as its JSON says it, whatever the object did that it came as. */
interface Sent {
  readonly id: string | number | undefined;
  readonly method: string;
  readonly hasParams: boolean;
  readonly params: JsonObject;
  readonly meta: JsonObject;
}

function sentOf(message: unknown): Sent {
  const copy = copyOf(message);
  const { id, method, params = {} } = isJsonObject(copy) ? copy : {};
  const isId = id === undefined || typeof id === 'string' || typeof id === 'number';
  if (typeof method !== 'string' || !isId || !isJsonObject(params)) throw new NotGuarded('what is no single message');
  const meta = ownValue(params, '_meta') ?? {};
  if (!isJsonObject(meta)) throw new NotGuarded('what is no single message');
  return { id, method, hasParams: isJsonObject(copy) && Object.hasOwn(copy, 'params'), params, meta };
}

/** Whether a subscription (2026-07-28) is to changes of lists alone. */
function listensForLists(params: JsonObject): boolean {
  const { notifications, ...more } = without(params, '_meta');
  if (Object.keys(more).length > 0 || !isJsonObject(notifications)) return false;
  return Object.entries(notifications).every(([name, value]) => LISTENS_FOR.has(name) && typeof value === 'boolean');
}

/** What a value says as JSON, in objects that nobody else holds. */
export const copyOf = (value: unknown): Json | undefined => {
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? undefined : (JSON.parse(text) as Json);
};

const pick = (object: JsonObject, keys: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([key]) => keys.includes(key)));

const without = (object: JsonObject, key: string): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
