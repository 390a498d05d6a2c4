import { randomUUID } from 'node:crypto';
import type { DirectiveFeed } from '../feed/port.js';
import { grpcFeed } from '../feed/watch/grpc.js';
import { sseFeed } from '../feed/watch/sse.js';
import { defined } from '../kernel/defined.js';
import { within } from '../kernel/within.js';
import { isLoopback } from '../kernel/loopback.js';
import type { AskedApproval, Task } from './service/answers.js';
import { createClient, type Ask, type HostClient, type OpenTask } from './service/client.js';
import { DirectiveFollower, type FollowerState } from './directives/follower.js';
import { askOverGrpc } from './service/grpc.js';
import { guard } from './guard/guard.js';
import type { Guarded, GuardOptions } from './guard/options.js';
import { askOverHttp } from './service/http.js';
import { feedKeys } from './directives/keys.js';
import type { McpClient, McpTransport } from '../mcp/client.js';

export interface HostOptions {
  /** The service's address. For another machine it has to be `https:`, because the token is sent to it. */
  readonly url: string | URL;
  /** Token of a principal with the role `host`; a function if it may be rotated. */
  readonly token: string | (() => string);
  /** Asks and watches over gRPC instead: `host:port`, and the authority of the service's certificate as PEM. */
  readonly grpc?: { readonly address: string; readonly ca?: Buffer };
  /** Feeds in addition to the service's own, such as Kafka's. A beat from any of them renews the lease. */
  readonly feeds?: readonly DirectiveFeed[];
  /** The feed's key set (RFC 7517). If absent, it is fetched once at the start. */
  readonly keys?: unknown;
  /** Id of this process, a UUID. If absent, a new one is made. */
  readonly instanceId?: string;
  /** Milliseconds for each question to the service. */
  readonly timeoutMs?: number;
  /** Milliseconds that the start may take until calls may be made. */
  readonly readyMs?: number;
  /** The service's `SALLYPORT_SKEW_MS`. */
  readonly skewMs?: number;
}

/** An agent host's connection to Sallyport: it follows the directives, and denies locally when it no longer hears them. */
export interface Host {
  readonly instanceId: string;
  /** The plain questions, for hosts that guard something other than an MCP client. */
  readonly client: HostClient;
  /** The epoch, the lease and the last beat. `stale` is false, or tells why this host denies. */
  state(): FollowerState;
  /** Calls `listener` when the epoch moves, and when the host becomes stale or stops being stale. Returns the way to end that. */
  onChange(listener: (state: FollowerState) => void): () => void;
  openTask(task: OpenTask): Promise<Task>;
  closeTask(task: Pick<Task, 'taskId'>, reason?: string): Promise<void>;
  /**
   * Waits until an approval is decided or expired, and resolves with its state. After `granted`, make the same call again:
   * the grant counts for exactly that content, once. Rejects with `ServiceError`, or with the reason of `signal`.
   */
  waitForApproval(approval: Pick<AskedApproval, 'id'>, options?: { readonly signal?: AbortSignal }): Promise<string>;
  /** Rejects with `CallRefused` if the server may not be used. */
  guard<Transport extends McpTransport>(
    client: McpClient<Transport>,
    options: GuardOptions<Transport>,
  ): Promise<Guarded>;
  /** Closes all guards, then the connection. */
  close(): Promise<void>;
}

const READY_MS = 10_000;

/** Connects to the service and resolves once calls may be made. Rejects with `ServiceError`, or if that takes too long. */
export async function connectHost(options: HostOptions): Promise<Host> {
  const { instanceId = randomUUID(), readyMs = READY_MS, skewMs, timeoutMs, feeds = [] } = options;
  const url = new URL(options.url);
  if (url.username !== '' || url.password !== '') throw new Error('the URL must not contain a user name or a password');
  const token = () => sendable(typeof options.token === 'string' ? options.token : options.token());
  token();
  if (url.protocol !== 'https:') refuseBeyondLoopback(url.hostname);
  if (options.grpc !== undefined && options.grpc.ca === undefined) refuseBeyondLoopback(hostIn(options.grpc.address));
  const timed = defined({ instanceId, timeoutMs });
  const overHttp = askOverHttp(url, token);
  const keys = feedKeys(options.keys ?? (await createClient(overHttp, timed).keys()));
  const grpc = options.grpc === undefined ? undefined : askOverGrpc({ ...options.grpc, token });
  const client = createClient(grpc === undefined ? overHttp : overGrpc(grpc.ask, overHttp), timed);
  const watch = grpc === undefined ? sseFeed({ url, token, instanceId }) : grpcFeed({ watch: grpc.watch, instanceId });
  const follower = new DirectiveFollower(defined({ client, feeds: [watch, ...feeds], keys, instanceId, skewMs }));
  const guards = new Set<Guarded>();
  const close = async (): Promise<void> => {
    await Promise.all([...guards].map((guarded) => guarded.close()));
    await follower.close();
    grpc?.close();
  };
  try {
    await follower.ready(readyMs);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    instanceId,
    client,
    state: () => follower.state(),
    onChange: (listener) => follower.onChange(listener),
    openTask: (task) => client.openTask(task),
    closeTask: ({ taskId }, reason) => client.closeTask(taskId, reason),
    waitForApproval: ({ id }, { signal } = {}) => decided(client, id, signal),
    async guard(mcp, guardOptions) {
      const guarded = await guard(mcp, guardOptions, { client, follower });
      const own: Guarded = {
        ...guarded,
        async close() {
          guards.delete(own);
          await guarded.close();
        },
      };
      guards.add(own);
      return own;
    },
    close,
  };
}

/** One question may wait this long. Other questions of the host go on meanwhile. */
const APPROVAL_WAIT_MS = 20_000;

async function decided(client: HostClient, id: string, signal: AbortSignal | undefined): Promise<string> {
  for (;;) {
    signal?.throwIfAborted();
    const { state } = await within(2 * APPROVAL_WAIT_MS, 'an approval', client.approval(id, APPROVAL_WAIT_MS), signal);
    if (state !== 'pending') return state;
  }
}

/** Questions that gRPC does not have go over HTTP. */
const overGrpc =
  (grpc: Ask, http: Ask): Ask =>
  (question, signal) =>
    question.rpc === undefined ? http(question, signal) : grpc(question, signal);

function refuseBeyondLoopback(hostname: string): void {
  if (isLoopback(hostname)) return;
  throw new Error('a token is sent to another machine only over TLS');
}

const hostIn = (address: string): string => address.replace(/:\d+$/, '');

/** A token as a header can carry it, without a file's newline. Checked here because other libraries quote it in their errors. */
function sendable(token: string): string {
  const trimmed = token.trim();
  if (!/^[!-~]+$/.test(trimmed)) throw new Error('the token is empty or contains an invalid character');
  return trimmed;
}
