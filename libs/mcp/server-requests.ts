import type { JsonObject } from '../kernel/canonical-json.js';
import type { McpResponse } from './message.js';

/** A request of the server that the client has been given. Exactly one of the two is called, once. */
export interface ServerRequest {
  /** The client's answer is about to leave. False keeps it back: the server gets an error. */
  mayAnswer(isError: boolean): boolean;
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
const ALWAYS_ANSWERED: ServerRequest = { mayAnswer: () => true, dropped: () => undefined };

/** The requests of one server that its client works on, by the server's ids. An answer without a request never leaves. */
export class ServerRequests {
  private readonly answering = new Map<unknown, ServerRequest>();
  private deciding = 0;

  constructor(private readonly decide: DecideServerRequest) {}

  /** Whether the client may be given the request. A ping needs no decision. Never rejects. */
  async admit(id: unknown, method: string, params: JsonObject): Promise<boolean> {
    if (this.deciding >= MAX_DECIDING || !this.hasRoomFor(id)) return false;
    if (method === PING) {
      this.answering.set(id, ALWAYS_ANSWERED);
      return true;
    }
    this.deciding += 1;
    try {
      const request = await this.decide(method, params);
      if (this.hasRoomFor(id)) {
        this.answering.set(id, request);
        return true;
      }
      request.dropped();
      return false;
    } catch {
      return false;
    } finally {
      this.deciding -= 1;
    }
  }

  /** What becomes of the client's answer to a request: it leaves, the server gets an error in its place, or neither. */
  answer(id: unknown, response: McpResponse | undefined): 'leaves' | 'refused' | 'unknown' {
    const request = this.answering.get(id);
    this.answering.delete(id);
    if (request === undefined) return 'unknown';
    if (response !== undefined) return request.mayAnswer('error' in response) ? 'leaves' : 'refused';
    request.dropped();
    return 'refused';
  }

  /** The server does not want the answer. */
  cancelled(id: unknown): void {
    this.answering.get(id)?.dropped();
    this.answering.delete(id);
  }

  private hasRoomFor(id: unknown): boolean {
    return this.answering.size < MAX_ANSWERING && !this.answering.has(id);
  }
}
