import type { JsonObject } from '../kernel/canonical-json.js';
import type { McpResponse } from './message.js';

/** A request of the server that the client has been given. Exactly one of the two is called, once. */
export interface ServerRequest {
  /** Its params as the client gets them. */
  readonly params: JsonObject;
  /** The part of the client's answer that leaves; undefined if the server gets an error in its place. Never rejects. */
  answer(response: McpResponse): Promise<McpResponse | undefined>;
  /** No answer will leave. */
  dropped(): void;
}

/** Decides whether the client is given a request of the server. Rejects if it is not. */
export type DecideServerRequest = (method: string, params: JsonObject) => Promise<ServerRequest>;

/** Requests that are being decided at once; each is a question to the service. */
const MAX_DECIDING = 16;
/** Requests that the client may be working on. */
const MAX_ANSWERING = 256;
const PING = 'ping';
/** The answer to a ping says nothing. */
const PONG: McpResponse = { result: {} };
const ALWAYS_ANSWERED: ServerRequest = { params: {}, answer: async () => PONG, dropped: () => undefined };

/** The requests of one server that its client works on, by the server's ids. An answer without a request never leaves. */
export class ServerRequests {
  /** Undefined while the answer is decided about: its id stays taken. */
  private readonly answering = new Map<unknown, { request: ServerRequest | undefined }>();
  private deciding = 0;

  constructor(private readonly decide: DecideServerRequest) {}

  /** The params of the request as the client may be given them; undefined if it may not. A ping needs no decision. Never rejects. */
  async admit(id: unknown, method: string, params: JsonObject): Promise<JsonObject | undefined> {
    if (this.deciding >= MAX_DECIDING || !this.hasRoomFor(id)) return undefined;
    if (method === PING) {
      this.answering.set(id, { request: ALWAYS_ANSWERED });
      return {};
    }
    this.deciding += 1;
    try {
      const request = await this.decide(method, params);
      if (this.hasRoomFor(id)) {
        this.answering.set(id, { request });
        return request.params;
      }
      request.dropped();
      return undefined;
    } catch {
      return undefined;
    } finally {
      this.deciding -= 1;
    }
  }

  /** What becomes of the client's answer to a request: it leaves, the server gets an error in its place, or neither. */
  async answer(id: unknown, response: McpResponse | undefined): Promise<McpResponse | 'refused' | 'unknown'> {
    const entry = this.answering.get(id);
    const request = entry?.request;
    if (entry === undefined || request === undefined) return 'unknown';
    entry.request = undefined;
    try {
      if (response !== undefined) return (await request.answer(response)) ?? 'refused';
      request.dropped();
      return 'refused';
    } finally {
      if (this.answering.get(id) === entry) this.answering.delete(id);
    }
  }

  /** The server does not want the answer. */
  cancelled(id: unknown): void {
    this.answering.get(id)?.request?.dropped();
    this.answering.delete(id);
  }

  private hasRoomFor(id: unknown): boolean {
    return this.answering.size < MAX_ANSWERING && !this.answering.has(id);
  }
}
