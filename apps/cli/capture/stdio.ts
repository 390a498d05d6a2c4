import { StringDecoder } from 'node:string_decoder';
import { setTimeout } from 'node:timers/promises';
import type { Json, JsonObject } from '../../../libs/kernel/canonical-json.js';
import { messageIn, replyOf, type McpReply } from '../../../libs/mcp/message.js';
import { startChild } from '../children.js';
import { CaptureFailure, LIMITS } from './failure.js';
import { answerTo, parseMessage, type CaptureEvent, type Channel } from './rpc.js';

/** What a server's process may know of the machine; everything else, tokens first of all, is added by name only. */
const INHERITED = [
  ['PATH', 'HOME', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TMPDIR', 'TZ', 'USER', 'LOGNAME', 'SHELL', 'TERM'],
  // Where authorities and caches are, so that npx and uvx reach a registry. Proxies are left out: they may hold passwords.
  ['SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_EXTRA_CA_CERTS', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME'],
  ['SYSTEMROOT', 'PATHEXT', 'COMSPEC', 'TEMP', 'TMP', 'USERPROFILE', 'APPDATA', 'LOCALAPPDATA'],
].flat();

/** How long the output of a dead process is waited for. */
const DRAIN_MS = 200;
const MAX_SHOWN_CHARS = 500;

/** The environment of a captured server: the allow-list, and `NAME` or `NAME=value` as asked for. */
export function childEnvironment(own: NodeJS.ProcessEnv, additions: readonly string[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = own[name];
    if (value !== undefined) env[name] = value;
  }
  for (const addition of additions) {
    const equals = addition.indexOf('=');
    const name = equals < 0 ? addition : addition.slice(0, equals);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new CaptureFailure('usage', '--env needs NAME or NAME=value');
    const value = equals < 0 ? own[name] : addition.slice(equals + 1);
    if (value === undefined) throw new CaptureFailure('usage', `--env ${name}: there is no such variable here`);
    env[name] = value;
  }
  return env;
}

/** Starts a server and speaks newline-delimited JSON-RPC with it (MCP, stdio transport). */
export function openStdio(
  command: readonly string[],
  env: Record<string, string>,
  onEvent: (event: CaptureEvent) => void = () => undefined,
): Channel {
  const [program = '', ...args] = command;
  const child = startChild(program, args, { env });
  const waiting = new Map<number, (reply: McpReply) => void>();
  const failing = new AbortController();
  const failed = new Promise<never>((_resolve, reject) => {
    failing.signal.addEventListener('abort', () => reject(failing.signal.reason), { once: true });
  });
  failed.catch(() => undefined);
  let lastId = 0;
  let foreign = 0;
  let messages = 0;
  let stderr = '';

  const send = (message: JsonObject) => void child.stdin.write(`${JSON.stringify(message)}\n`);

  const take = (message: Json): void => {
    const read = messageIn(message);
    if (read.kind === 'response') {
      if (read.response === undefined || typeof read.id !== 'number') return;
      waiting.get(read.id)?.(replyOf(read.response));
      waiting.delete(read.id);
      return;
    }
    const answer = answerTo(read);
    if (answer !== undefined) send(answer);
  };

  const takeLine = (line: string): void => {
    if (line.trim() === '') return;
    messages += 1;
    if (messages > LIMITS.messages)
      throw new CaptureFailure('flood', `the server sent over ${LIMITS.messages} messages`);
    const message = parseMessage(line);
    if (message === undefined || typeof message !== 'object' || message === null) {
      foreign += 1;
      onEvent({ kind: 'protocol', text: `no JSON-RPC on stdout: ${line.slice(0, MAX_SHOWN_CHARS)}` });
      if (foreign > LIMITS.foreignLines) {
        throw new CaptureFailure(
          'garbage',
          `the server's stdout is not JSON-RPC: over ${LIMITS.foreignLines} other lines`,
        );
      }
      return;
    }
    if (Array.isArray(message)) for (const one of message as readonly Json[]) take(one);
    else take(message);
  };

  const lines = lineReader(takeLine);
  child.stdout.on('data', (chunk: Buffer) => {
    try {
      lines(chunk);
    } catch (error) {
      // Nothing more is read: a flood then stands in the pipe, and its sender waits to be killed.
      child.stdout.pause().removeAllListeners('data');
      failing.abort(error instanceof CaptureFailure ? error : new CaptureFailure('garbage', 'the server sent garbage'));
    }
  });
  const stderrLines = boundedLines((line) => {
    stderr = `${stderr}${line}\n`.slice(-LIMITS.stderrBytes);
    onEvent({ kind: 'stderr', text: line });
  });
  child.stderr.on('data', stderrLines.take).once('close', stderrLines.end);
  const readToEnd = new Promise<void>((resolve) => child.stdout.once('close', resolve));
  const watchEnd = async (): Promise<void> => {
    const how = await child.gone;
    // What it wrote before it went may still be in the pipe, which something that it started may hold open.
    await Promise.race([readToEnd, setTimeout(DRAIN_MS, undefined, { ref: false })]);
    const said = foreign > 0 ? `, after ${foreign} lines that are not JSON-RPC` : '';
    failing.abort(new CaptureFailure('gone', `the server's process ended (${how})${said}`));
  };
  void watchEnd();

  return {
    request: async (method, params, timeoutMs) => {
      const id = (lastId += 1);
      const replied = new Promise<McpReply>((resolve) => waiting.set(id, resolve));
      send({ jsonrpc: '2.0', id, method, params });
      let timer: NodeJS.Timeout | undefined;
      const silent = new Promise<never>((_resolve, reject) => {
        timer = globalThis.setTimeout(() => {
          const other = foreign > 0 ? ` (it wrote ${foreign} lines that are not JSON-RPC)` : '';
          reject(new CaptureFailure('silent', `the server left ${method} unanswered${other}`));
        }, timeoutMs);
      });
      try {
        return await Promise.race([replied, failed, silent]);
      } finally {
        clearTimeout(timer);
        waiting.delete(id);
      }
    },
    notify: async (method, params) => send({ jsonrpc: '2.0', method, params }),
    agreed: () => undefined,
    spki: () => undefined,
    pid: child.pid,
    stderr: () => {
      stderrLines.end();
      return stderr;
    },
    close: () => child.stop(),
  };
}

/** Cuts bytes into lines. A line that is longer than a failure would quote comes in pieces. */
function boundedLines(takeLine: (line: string) => void): {
  readonly take: (chunk: Buffer) => void;
  readonly end: () => void;
} {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  const end = (): void => {
    if (rest !== '') takeLine(rest);
    rest = '';
  };
  return {
    take: (chunk) => {
      const lines = (rest + decoder.write(chunk)).split(/\r?\n/);
      rest = lines.pop() ?? '';
      for (const line of lines) takeLine(line);
      if (rest.length > LIMITS.stderrBytes) end();
    },
    end,
  };
}

/** Cuts bytes into lines, within the bounds on one message and on all of them. */
function lineReader(takeLine: (line: string) => void): (chunk: Buffer) => void {
  const decoder = new StringDecoder('utf8');
  let parts: string[] = [];
  let pending = 0;
  let total = 0;
  return (chunk) => {
    total += chunk.length;
    if (total > LIMITS.totalBytes) throw new CaptureFailure('flood', `the server sent over ${LIMITS.totalBytes} bytes`);
    const [first = '', ...rest] = decoder.write(chunk).split('\n');
    parts.push(first);
    pending += first.length;
    for (const next of rest) {
      takeLine(parts.join(''));
      parts = [next];
      pending = next.length;
    }
    if (pending > LIMITS.messageBytes) {
      throw new CaptureFailure('flood', `the server sent a message of over ${LIMITS.messageBytes} bytes`);
    }
  };
}
