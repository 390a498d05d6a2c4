import { StringDecoder } from 'node:string_decoder';
import { setTimeout } from 'node:timers/promises';
import type { Json, JsonObject } from '../../../libs/kernel/canonical-json.js';
import { messageIn, replyOf, type McpReply } from '../../../libs/mcp/message.js';
import { startChild, type Child } from '../children.js';
import { CaptureFailure, LIMITS } from './failure.js';
import { answerTo, parseMessage, type CaptureEvent, type Channel } from './rpc.js';

/** The environment variables that a server's process inherits. All others, above all tokens, are added by name. */
const INHERITED = [
  ['PATH', 'HOME', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TMPDIR', 'TZ', 'USER', 'LOGNAME', 'SHELL', 'TERM'],
  // The places of certificate authorities and caches, so that npx and uvx reach a registry. Proxies are left out: they
  // may hold passwords.
  ['SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_EXTRA_CA_CERTS', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME'],
  ['SYSTEMROOT', 'PATHEXT', 'COMSPEC', 'TEMP', 'TMP', 'USERPROFILE', 'APPDATA', 'LOCALAPPDATA'],
].flat();

/** How long the rest of a dead process's output may take to arrive. */
const DRAIN_MS = 200;
const MAX_SHOWN_CHARS = 500;

/** The environment of a captured server: the allow-list, and each requested `NAME` or `NAME=value`. */
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
export const openStdio = (
  command: readonly string[],
  env: Record<string, string>,
  onEvent: (event: CaptureEvent) => void = () => undefined,
): Channel => new StdioChannel(command, env, onEvent);

class StdioChannel implements Channel {
  private readonly child: Child;
  private readonly waiting = new Map<number, (reply: McpReply) => void>();
  private readonly failed = Promise.withResolvers<never>();
  private readonly stderrLines: BoundedLines;
  private stderrText = '';
  private lastId = 0;
  private messages = 0;
  private foreignLines = 0;

  constructor(
    [program = '', ...args]: readonly string[],
    env: Record<string, string>,
    private readonly onEvent: (event: CaptureEvent) => void,
  ) {
    this.failed.promise.catch(() => undefined);
    this.child = startChild(program, args, { env });
    const { stdout, stderr } = this.child;
    const takeChunk = lineReader((line) => this.takeLine(line));
    stdout.on('data', (chunk: Buffer) => {
      try {
        takeChunk(chunk);
      } catch (error) {
        // Nothing more is read. A flood then stays in the pipe, and its sender waits until it is killed.
        stdout.pause().removeAllListeners('data');
        this.fail(error instanceof CaptureFailure ? error : new CaptureFailure('garbage', 'the server sent garbage'));
      }
    });
    this.stderrLines = boundedLines((line) => {
      this.stderrText = `${this.stderrText}${line}\n`.slice(-LIMITS.stderrBytes);
      onEvent({ kind: 'stderr', text: line });
    });
    stderr.on('data', this.stderrLines.take).once('close', this.stderrLines.end);
    void this.watchEnd(new Promise((resolve) => stdout.once('close', resolve)));
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  async request(method: string, params: JsonObject, timeoutMs: number): Promise<McpReply> {
    const id = (this.lastId += 1);
    const replied = new Promise<McpReply>((resolve) => this.waiting.set(id, resolve));
    this.send({ jsonrpc: '2.0', id, method, params });
    let timer: NodeJS.Timeout | undefined;
    const silent = new Promise<never>((_resolve, reject) => {
      timer = globalThis.setTimeout(() => {
        const other = this.foreignLines > 0 ? ` (it wrote ${this.foreignLines} lines that are not JSON-RPC)` : '';
        reject(new CaptureFailure('silent', `the server left ${method} unanswered${other}`));
      }, timeoutMs);
    });
    try {
      return await Promise.race([replied, this.failed.promise, silent]);
    } finally {
      clearTimeout(timer);
      this.waiting.delete(id);
    }
  }

  notify(method: string, params: JsonObject): Promise<void> {
    this.send({ jsonrpc: '2.0', method, params });
    return Promise.resolve();
  }

  agreed(): void {
    // Messages over stdio do not repeat the revision.
  }

  spki(): undefined {
    return undefined;
  }

  stderr(): string {
    this.stderrLines.end();
    return this.stderrText;
  }

  close(): Promise<void> {
    return this.child.stop();
  }

  private send(message: JsonObject): void {
    this.child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  private takeLine(line: string): void {
    if (line.trim() === '') return;
    this.messages += 1;
    if (this.messages > LIMITS.messages)
      throw new CaptureFailure('flood', `the server sent over ${LIMITS.messages} messages`);
    const message = parseMessage(line);
    if (typeof message !== 'object' || message === null) return this.takeForeign(line);
    for (const one of Array.isArray(message) ? (message as readonly Json[]) : [message]) this.take(one);
  }

  private takeForeign(line: string): void {
    this.foreignLines += 1;
    this.onEvent({ kind: 'protocol', text: `no JSON-RPC on stdout: ${line.slice(0, MAX_SHOWN_CHARS)}` });
    if (this.foreignLines <= LIMITS.foreignLines) return;
    const found = `over ${LIMITS.foreignLines} other lines`;
    throw new CaptureFailure('garbage', `the server's stdout is not JSON-RPC: ${found}`);
  }

  private take(message: Json): void {
    const read = messageIn(message);
    if (read.kind !== 'response') {
      const answer = answerTo(read);
      if (answer !== undefined) this.send(answer);
      return;
    }
    if (read.response === undefined || typeof read.id !== 'number') return;
    this.waiting.get(read.id)?.(replyOf(read.response));
    this.waiting.delete(read.id);
  }

  /** The first failure counts. */
  private fail(failure: CaptureFailure): void {
    this.failed.reject(failure);
  }

  private async watchEnd(readToEnd: Promise<void>): Promise<void> {
    const how = await this.child.gone;
    // Output from before the exit may still be in the pipe. A process that the server started may hold the pipe open.
    await Promise.race([readToEnd, setTimeout(DRAIN_MS, undefined, { ref: false })]);
    const foreign = this.foreignLines > 0 ? `, after ${this.foreignLines} lines that are not JSON-RPC` : '';
    this.fail(new CaptureFailure('gone', `the server's process ended (${how})${foreign}`));
  }
}

interface BoundedLines {
  readonly take: (chunk: Buffer) => void;
  /** Passes on the unfinished last line. */
  readonly end: () => void;
}

/** Cuts bytes into lines. A line that is too long to quote comes in pieces. */
function boundedLines(takeLine: (line: string) => void): BoundedLines {
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
