import type { Envelope, Task } from '../service/answers.js';
import type { Authorize, ServerEvidence } from '../service/client.js';
import type { ShownDefinition } from './definition.js';
import type { GuardedToolResult } from './result.js';

export interface GuardOptions<Transport> {
  /** The task on whose behalf all calls are made. */
  readonly task: Task;
  readonly capability: string;
  /** Where the server is. The guard connects the client to it, once the service allows that. */
  readonly transport: Transport;
  /** What proves the identity of that server, as its registration expects it. */
  readonly server: ServerEvidence;
  readonly credentialScope?: string;
  /** Milliseconds that each request to the server may take. Default: the default of the MCP SDK. */
  readonly requestMs?: number;
  /** Milliseconds that the guard waits for the answer to a stopped call, to hand it in. */
  readonly lateMs?: number;
}

export interface CallOptions {
  /** Ends the call from the caller's side. */
  readonly signal?: AbortSignal;
  /**
   * Content to send along. The items that the service lets out go to the server in
   * `_meta["dev.sallyport/context"]`.
   */
  readonly context?: Authorize['context'];
  /** The host's words about its arguments. The service can only raise these labels. */
  readonly labels?: Authorize['labels'];
  /** The host's word that its client has approved the call. It suffices for approvals of the grade `client`. */
  readonly approval?: Authorize['approval'];
}

/** A capability as an agent may use it: what it is shown is pinned, and each call is decided, quoted and recorded. */
export interface Guarded {
  /** The pinned definition, reduced to the task's scope; never the live list. */
  readonly shown: ShownDefinition;
  /** Never rejects: a refused call is a result with `isError` and `refusal`. */
  callTool(
    call: { readonly name: string; readonly arguments?: object },
    options?: CallOptions,
  ): Promise<GuardedToolResult>;
  /** Rejects with `CallRefused`. */
  getPrompt(prompt: { readonly name: string; readonly arguments?: object }, options?: CallOptions): Promise<Envelope>;
  /** Rejects with `CallRefused`. */
  readResource(resource: { readonly uri: string }, options?: CallOptions): Promise<Envelope>;
  /**
   * The content of a held response (`refusal.reason` is `response_quarantined`), once somebody has released it. Before
   * that it is the same refusal again. Never rejects.
   */
  released(callId: string): Promise<GuardedToolResult>;
  /** Stops the running calls, closes the client and waits until everything is recorded. */
  close(): Promise<void>;
}
