import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino, type Logger } from 'pino';
import { openService, type Service, type ServiceParts } from '../../apps/pdp/service.js';
import { startServer, type Server } from '../../apps/pdp/server.js';
import { readSettings } from '../../apps/pdp/settings.js';
import { AnswerCheck } from './answers.js';
import { Role } from '../../libs/vocabulary/words.js';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // Answers are read as a client would: by the names of the contract.
  readonly body: Answered;
}

// oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of every shape
export type Answered = any;

export type Tokens = Record<Role, string>;

/** A service that answers over HTTP: within the test, or in a process of its own. */
export interface Callable {
  /** As the principal of a role, with a token, or with none. */
  call(
    who: Role | { token: string } | 'nobody',
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
}

/** A service of its own on a free port and a temporary folder, spoken to over HTTP. */
export interface TestService extends Callable {
  readonly url: string;
  readonly dataDir: string;
  readonly tokens: Tokens;
  readonly service: Service;
  readonly server: Server;
  /** Stops it; with `keep`, the data stay for another start. */
  stop(keep?: 'keep'): Promise<void>;
}

export interface TestOptions extends ServiceParts {
  readonly dataDir?: string;
  readonly env?: Record<string, string>;
  /** Receives the lines of the service; without it there are none. */
  readonly logger?: Logger;
}

export async function startService(options: TestOptions = {}): Promise<TestService> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'sallyport-test-'));
  const ports = { SALLYPORT_HTTP: '127.0.0.1:0', SALLYPORT_GRPC: '127.0.0.1:0', SALLYPORT_METRICS: 'off' };
  const settings = readSettings({ SALLYPORT_DATA: dataDir, ...ports, ...options.env });
  const answers = new AnswerCheck();
  const service = await openService(settings, { onGrpcAnswer: answers.overGrpc, sealing: 'off', ...options });
  const server = await startServer(service, options.logger ?? pino({ enabled: false }));
  answers.overHttp(server.app.getHttpServer());
  const tokens = tokensOf(dataDir);
  const ask = callerOf(server.url, tokens);
  const call: Callable['call'] = async (...asked) => {
    const answer = await ask(...asked);
    answers.look();
    return answer;
  };
  return {
    url: server.url,
    dataDir,
    tokens,
    service,
    server,
    call,
    async stop(keep) {
      await server.close();
      if (keep !== 'keep') rmSync(dataDir, { recursive: true, force: true });
      answers.look();
    },
  };
}

/** The tokens of the first start. */
export function tokensOf(dataDir: string): Tokens {
  return JSON.parse(readFileSync(join(dataDir, 'tokens.json'), 'utf8')) as Tokens;
}

/** Speaks to a service over HTTP. Resolves only with an answer that came whole. */
export function callerOf(url: string, tokens: Tokens): Callable['call'] {
  return async (who, method, path, body, headers = {}) => {
    const token = who === 'nobody' ? undefined : typeof who === 'string' ? tokens[who] : who.token;
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = text !== '' && /json/.test(response.headers.get('content-type') ?? '');
    const answered = text === '' ? undefined : text;
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : answered };
  };
}
