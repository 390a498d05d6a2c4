import { isDeepStrictEqual } from 'node:util';
import { isJsonObject, ownValue, type JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import type { McpRequest } from './client.js';
import { CANCELLED, copyOf, INITIALIZED, REFUSED } from './message.js';
import { META } from './protocol.js';

/** A message that the guard did not send, and that may not leave without it. It has the members of a JSON-RPC error. */
export class NotGuarded extends Error {
  override readonly name = 'NotGuarded';
  readonly code = REFUSED;
  readonly data = { reason: 'not_guarded' } as const;

  constructor(what: string) {
    super(`the host refused to send ${what}: only the guard makes calls over this transport`);
  }
}

/** What may leave. It may leave again, after the transport has authenticated itself, until `signal` is aborted. */
export interface Admitted {
  /** A copy that nobody else holds. */
  readonly message: JsonObject;
  readonly signal: AbortSignal;
  /** The mark of the request that the guard sends by it. */
  readonly traceparent: string | undefined;
}

/**
 * Requests that read what a server declares, or that ask whether it is alive. The guard observes what they bring; a
 * program that sends them by its client (`client.listTools()`) gets the raw answer.
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
/** The members that the SDKs themselves put into `_meta`; other members would leave undecided. */
const META_KEYS = ['progressToken', META.protocolVersion, META.clientInfo, META.clientCapabilities];

interface Expected {
  readonly request: McpRequest;
  readonly signal: AbortSignal;
  /** The id that it left under; undefined before. */
  id?: unknown;
}

/** The expectation that a message met. */
interface Met {
  readonly traceparent: string;
  readonly signal: AbortSignal;
  /** Members of `_meta` that the guard adds. */
  readonly meta: JsonObject;
}

/** Decides message by message what a client may send over an intercepted transport. */
export class Outgoing {
  private readonly expected = new Map<string, Expected>();
  /** Requests that have left and are not answered, by id, with the `traceparent` of those that the guard sent. */
  private readonly unanswered = new Map<unknown, string | undefined>();
  private readonly closing = new AbortController();
  private phase: 'idle' | 'connecting' | 'open' = 'idle';

  /** Only while it is connecting may the transport start and may a client greet the server. */
  get isConnecting(): boolean {
    return this.phase === 'connecting' && !this.closing.signal.aborted;
  }

  /** Runs the handshake. */
  async connecting<Value>(work: () => Promise<Value>): Promise<Value> {
    this.phase = 'connecting';
    try {
      return await work();
    } finally {
      this.phase = 'open';
    }
  }

  /** From now on nothing leaves. */
  close(): void {
    this.closing.abort();
  }

  /** Lets one request out, once: the one with this `traceparent`, with the same method and equal params. */
  expect(traceparent: string, request: McpRequest, signal: AbortSignal): void {
    this.expected.set(traceparent, { request, signal });
  }

  /** Whether that request has left. */
  hasLeft(traceparent: string): boolean {
    return this.expected.get(traceparent)?.id !== undefined;
  }

  /** Takes the expectation back, and forgets the request. */
  forget(traceparent: string): void {
    const id = this.expected.get(traceparent)?.id;
    this.expected.delete(traceparent);
    if (this.unanswered.get(id) === traceparent) this.unanswered.delete(id);
  }

  /** Whether a request of this id has left and is not answered. */
  isUnanswered(id: unknown): boolean {
    return this.unanswered.has(id);
  }

  /** A request of this id was answered. Returns the `traceparent` that it was expected by. */
  answered(id: unknown): string | undefined {
    const traceparent = this.unanswered.get(id);
    this.unanswered.delete(id);
    return traceparent;
  }

  /** The message as it may leave. Throws `NotGuarded`. */
  admit(message: unknown, options: object = {}): Admitted {
    const sent = sentOf(message);
    const { id, method } = sent;
    const refused = () => new NotGuarded(method.slice(0, 100));
    // A resumed stream brings answers that nobody here has asked for.
    const resumes = 'resumptionToken' in options && options.resumptionToken !== undefined;
    if (this.closing.signal.aborted || this.phase === 'idle' || resumes) throw refused();
    if (id !== undefined && this.unanswered.has(id)) throw refused();
    const met = this.expectationMetBy(sent);
    if (met === undefined && !this.isHarmless(sent)) throw refused();
    if (id !== undefined) this.unanswered.set(id, met?.traceparent);
    return {
      message: reduced(sent, met),
      signal: met?.signal ?? this.closing.signal,
      traceparent: met?.traceparent,
    };
  }

  /** Each expectation is met once. */
  private expectationMetBy({ id, method, params, meta }: Sent): Met | undefined {
    const traceparent = ownValue(meta, 'traceparent');
    const one = typeof traceparent === 'string' ? this.expected.get(traceparent) : undefined;
    if (one === undefined || one.id !== undefined || id === undefined || one.request.method !== method)
      return undefined;
    if (!isDeepStrictEqual(without(params, '_meta'), copyOf(one.request.params ?? {}))) return undefined;
    one.id = id;
    const signal = AbortSignal.any([one.signal, this.closing.signal]);
    return { traceparent: traceparent as string, signal, meta: one.request.meta ?? {} };
  }

  /** Whether a message may leave without the guard. */
  private isHarmless({ id, method, params }: Sent): boolean {
    const { cursor, ...others } = without(params, '_meta');
    if (id === undefined) {
      if (method === CANCELLED) return this.unanswered.has(params['requestId']);
      return method === INITIALIZED && this.phase === 'connecting';
    }
    if (method === 'initialize') return this.phase === 'connecting';
    if (method === LISTEN) return listensForLists(params);
    return HARMLESS.has(method) && Object.keys(others).length === 0 && ['undefined', 'string'].includes(typeof cursor);
  }
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

/** The message without the members that nobody has decided about. `met` is the guard's request, if it is one. */
function reduced({ id, method, hasParams, params, meta }: Sent, met: Met | undefined): JsonObject {
  // A call tells its trace and its labels to the server. A list is what the client would send without a guard.
  const trace = met === undefined || HARMLESS.has(method) ? {} : { ...met.meta, traceparent: met.traceparent };
  // Nobody decides a notification, so it takes no text of the program with it, such as the reason of a cancellation.
  const kept = id === undefined ? pick(params, ['requestId']) : without(params, '_meta');
  const keptMeta = id === undefined ? {} : { ...pick(meta, META_KEYS), ...trace };
  const reducedParams = { ...kept, ...(Object.keys(keptMeta).length === 0 ? {} : { _meta: keptMeta }) };
  return defined({ jsonrpc: '2.0', id, method, params: hasParams ? reducedParams : undefined });
}

/** Whether a subscription (2026-07-28) is to changes of lists alone. */
function listensForLists(params: JsonObject): boolean {
  const { notifications, ...others } = without(params, '_meta');
  if (Object.keys(others).length > 0 || !isJsonObject(notifications)) return false;
  return Object.entries(notifications).every(([name, value]) => LISTENS_FOR.has(name) && typeof value === 'boolean');
}

const pick = (object: JsonObject, keys: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([key]) => keys.includes(key)));

const without = (object: JsonObject, key: string): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
