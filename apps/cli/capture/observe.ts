import type { JsonObject } from '../../../libs/kernel/canonical-json.js';
import type { DefinitionFingerprint } from '../../../libs/kernel/definition-digest.js';
import { DefinitionFailure, readDefinition, type ServerDefinition } from '../../../libs/mcp/definition.js';
import type { McpReply } from '../../../libs/mcp/message.js';
import { openInitialized, openSession, type Introduction, type Session } from './eras.js';
import { CaptureFailure, commandName } from './failure.js';
import { openHttp } from './http.js';
import { processChain, type RunningProcess } from '../provenance/processes.js';
import { childEnvironment, openStdio } from './stdio.js';
import type { CaptureEvent, Channel } from './rpc.js';

const RESOURCES_MS = 5000;

/** The server to observe: a command to start, or an address of streamable HTTP. */
export type Target =
  | { readonly command: readonly string[]; readonly env: readonly string[] }
  | { readonly url: URL; readonly bearer: string | undefined };

export interface Observation {
  readonly definition: ServerDefinition;
  readonly fingerprint: DefinitionFingerprint;
  /** Methods of lists that the server declares but does not answer. They count as empty. */
  readonly missing: readonly string[];
  readonly probe: { readonly protocolVersion: string; readonly clientCapabilities: JsonObject };
  readonly spki: string | undefined;
}

/** A running server whose definition was read over this connection. The caller that opened it closes it. */
export interface OpenServer {
  readonly observation: Observation;
  request(method: string, params: JsonObject, timeoutMs: number): Promise<McpReply>;
  /** The started process and the processes that it passed its streams to, as they are now; empty if the system shows none. */
  processes(): readonly RunningProcess[];
  stderr(): string;
  close(): Promise<void>;
}

export interface ObserveOptions extends Introduction {
  /** Milliseconds for the start, the greeting and the lists together. */
  readonly timeoutMs: number;
  /** Receives each line of the server's stderr, and each protocol error, as it comes. */
  readonly onEvent?: (event: CaptureEvent) => void;
}

/** Starts or reaches a server, reads its definition and leaves the connection open. Throws `CaptureFailure`. */
export async function openServer(target: Target, options: ObserveOptions): Promise<OpenServer> {
  const end = performance.now() + options.timeoutMs;
  const remaining = () => Math.max(1, end - performance.now());
  const onEvent = options.onEvent ?? (() => undefined);
  const connect = () =>
    'url' in target
      ? openHttp(target.url, target.bearer)
      : openStdio(target.command, childEnvironment(process.env, target.env), onEvent);
  const name = 'url' in target ? target.url.origin : commandName(target.command);
  const attempt = async (open: typeof openSession): Promise<OpenServer> => {
    const channel = reporting(connect(), onEvent);
    try {
      const session = await open(channel, options, remaining);
      return await observed(channel, session, options, remaining);
    } catch (error) {
      const stderr = channel.stderr();
      await channel.close();
      throw error instanceof CaptureFailure ? error.ofTarget(name, stderr) : error;
    }
  };
  try {
    return await attempt(openSession);
  } catch (error) {
    // Some servers of the older eras crash on a request before `initialize`. Start them again without it.
    const again = error instanceof CaptureFailure && error.kind === 'gone' && options.protocol === 'auto';
    if (!again) throw error;
    onEvent({ kind: 'protocol', text: 'it is started again, and initialize is sent first' });
    return attempt(openInitialized);
  }
}

/** A channel that reports each error that the server answers with, and each request that fails. */
function reporting(channel: Channel, onEvent: NonNullable<ObserveOptions['onEvent']>): Channel {
  const report = (method: string, text: string): void => onEvent({ kind: 'protocol', text: `${method}: ${text}` });
  return {
    request: async (method, params, timeoutMs) => {
      try {
        const reply = await channel.request(method, params, timeoutMs);
        if (!reply.ok) report(method, `error ${reply.code}: ${reply.message}`);
        return reply;
      } catch (error) {
        report(method, error instanceof Error ? error.message : 'failed');
        throw error;
      }
    },
    notify: (method, params) => channel.notify(method, params),
    agreed: (protocolVersion) => channel.agreed(protocolVersion),
    spki: () => channel.spki(),
    pid: channel.pid,
    stderr: () => channel.stderr(),
    close: () => channel.close(),
  };
}

async function observed(
  channel: Channel,
  session: Session,
  options: ObserveOptions,
  remaining: () => number,
): Promise<OpenServer> {
  const read = await readDefinition(
    session,
    // Resources are not part of the digest, so they get little time.
    (method, params) =>
      session.request(method, params, method === 'resources/list' ? Math.min(remaining(), RESOURCES_MS) : remaining()),
    'resources',
  ).catch(asCaptureFailure);
  const probe = { protocolVersion: session.protocolVersion, clientCapabilities: options.clientCapabilities };
  return {
    observation: { ...read, probe, spki: channel.spki() },
    request: (method, params, timeoutMs) => session.request(method, params, timeoutMs),
    processes: () => (channel.pid === undefined ? [] : processChain(channel.pid)),
    stderr: () => channel.stderr(),
    close: () => channel.close(),
  };
}

function asCaptureFailure(error: unknown): never {
  if (!(error instanceof DefinitionFailure)) throw error;
  const said = error.answered === undefined ? '' : `: ${error.answered.said}`;
  throw new CaptureFailure(error.kind, `${error.message}${said}`);
}
