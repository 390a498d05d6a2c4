import { DefinitionFailure } from '../../mcp/definition.js';
import { NotConnected } from '../../mcp/exchange.js';
import { REFUSED } from '../../mcp/message.js';

/** Why a server gave no answer. It holds no text of the server and no secret. */
export interface ServerFailure {
  readonly reason:
    'server_unreachable' | 'server_timeout' | 'server_protocol_error' | 'server_definition' | 'call_changed';
  /** The kind of failure, for programs. */
  readonly kind: 'cannot_start' | 'cannot_connect' | 'timed_out' | 'protocol_error' | 'not_sent';
  /** The code of the error: of the system (`ENOENT`), of JSON-RPC (`-32601`), of HTTP (`HTTP 404`) or of the MCP SDK. */
  readonly cause: string;
  /** One sentence for a person. */
  readonly detail: string;
}

/**
 * Reads an error of an MCP client, of either generation of its SDK. Undefined if the program is at fault (a `TypeError`):
 * the author of the program has to see that error.
 */
export function failureOf(error: unknown): ServerFailure | undefined {
  if (error instanceof DefinitionFailure) {
    const code = error.answered?.code;
    const cause = code === undefined ? error.kind : String(code);
    return { reason: 'server_definition', kind: 'protocol_error', cause, detail: error.message };
  }
  if (error instanceof NotConnected) return unreachable('not_connected', error.message);
  const system = systemErrorIn(error);
  if (system !== undefined) return systemFailure(system);
  if (isProgramming(error)) return undefined;
  const { name = '', code } = (error ?? {}) as { readonly name?: string; readonly code?: unknown };
  if (name === 'TimeoutError' || code === 'REQUEST_TIMEOUT' || isOfFirstSdk(error, -32_001)) {
    return {
      reason: 'server_timeout',
      kind: 'timed_out',
      cause: 'timeout',
      detail: 'the server did not answer in time',
    };
  }
  if (CLOSED.has(String(code)) || isOfFirstSdk(error, -32_000)) {
    return unreachable('connection_closed', 'the connection to the server was closed');
  }
  const status = httpStatusIn(error);
  if (status !== undefined) return unreachable(`HTTP ${status}`, `the server answered HTTP ${status}`);
  if (name === 'UnauthorizedError') return unreachable('HTTP 401', 'the server requires an authorized caller');
  if (code === REFUSED) {
    const detail = 'the MCP client changed the call, so it was not sent';
    return { reason: 'call_changed', kind: 'not_sent', cause: String(code), detail };
  }
  if (typeof code === 'number' && name !== 'Error') {
    return protocolError(String(code), `the server answered with the JSON-RPC error ${code}`);
  }
  if (typeof code === 'string')
    return protocolError(code, `the MCP client does not accept the server's answer: ${code}`);
  if (PARSING.has(name)) return protocolError(name, 'the server answered with something that is not MCP');
  return unreachable(name === '' ? 'unknown' : name, 'the server cannot be reached');
}

const unreachable = (cause: string, detail: string): ServerFailure => ({
  reason: 'server_unreachable',
  kind: 'cannot_connect',
  cause,
  detail,
});

const protocolError = (cause: string, detail: string): ServerFailure => ({
  reason: 'server_protocol_error',
  kind: 'protocol_error',
  cause,
  detail,
});

const CLOSED = new Set(['CONNECTION_CLOSED', 'NOT_CONNECTED', 'SEND_FAILED']);
const PARSING = new Set(['SyntaxError', 'ZodError', '$ZodError']);
const TIMEOUTS = new Set(['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

interface SystemError {
  readonly code: string;
  readonly syscall?: unknown;
  readonly path?: unknown;
}

function systemFailure({ code, syscall, path }: SystemError): ServerFailure {
  if (typeof syscall === 'string' && syscall.startsWith('spawn')) {
    const what = typeof path === 'string' ? `: ${path.slice(0, 200)}` : '';
    const detail = `the server's command cannot be started (${code})${what}`;
    return { reason: 'server_unreachable', kind: 'cannot_start', cause: code, detail };
  }
  if (!TIMEOUTS.has(code)) return unreachable(code, `the server cannot be reached (${code})`);
  return { reason: 'server_timeout', kind: 'timed_out', cause: code, detail: 'the server did not answer in time' };
}

/** The error of the system, of TLS or of `fetch` that an error is or was caused by. */
function systemErrorIn(error: unknown): SystemError | undefined {
  let at = error;
  for (let depth = 0; depth < 5 && at instanceof Error; depth += 1) {
    const { code } = at as { code?: unknown };
    const isSystems =
      typeof code === 'string' && /^(?:E[A-Z\d]+|UND_ERR_\w+|ERR_(?:TLS|SSL)_\w+|\w*CERT\w*)$/.test(code);
    if (isSystems) return at as Error & SystemError;
    at = at.cause;
  }
  return undefined;
}

/** `fetch` reports a failed connection as a `TypeError`. */
export const isProgramming = (error: unknown): error is Error =>
  (error instanceof TypeError && !/^(?:fetch failed|terminated|Failed to fetch)$/.test(error.message)) ||
  error instanceof ReferenceError ||
  error instanceof RangeError;

/** The first generation of the SDK uses JSON-RPC codes for failures of the connection. */
const isOfFirstSdk = (error: unknown, code: number): boolean =>
  error instanceof Error &&
  error.name === 'McpError' &&
  (error as { code?: unknown }).code === code &&
  /^MCP error -32000: Connection closed$|^MCP error -32001: .*(?:time|abort)/i.test(error.message);

function httpStatusIn(error: unknown): number | undefined {
  const { name, code, status } = (error ?? {}) as { readonly name?: string; readonly code?: unknown; status?: unknown };
  const found = name === 'SdkHttpError' ? status : name === 'Error' ? code : undefined;
  return typeof found === 'number' && found >= 100 && found < 600 ? found : undefined;
}
