import type { Answered } from './service.js';

/** An MCP server within the test, reached through a transport of either SDK's form. A test can make it misbehave. */
export interface ScriptedServer {
  readonly transport: ScriptedTransport;
  /** Every message that the client sent, in order. */
  readonly received: Answered[];
  /** Its definition. Only `say` announces a changed list. */
  readonly tools: Answered[];
  readonly prompts: Answered[];
  /** How a request is answered: a result, an error, nothing, or a promise of one. */
  answers: Record<string, (params: Answered) => Answered>;
  /** Sends any message to the client. */
  say(message: object): void;
  requestsOf(method: string): Answered[];
  /** Takes a message of the client, and gives the answer; undefined if there is none. */
  take(message: Answered): Promise<Answered>;
}

export class ScriptedTransport {
  onmessage: ((message: Answered) => void) | undefined;
  onclose: (() => void) | undefined;
  onerror: ((error: Error) => void) | undefined;
  started = false;

  constructor(private readonly onSend: (message: Answered) => void) {}

  start(): Promise<void> {
    this.started = true;
    return Promise.resolve();
  }

  send(message: object): Promise<void> {
    this.onSend(message);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.onclose?.();
    return Promise.resolve();
  }
}

export const NOTES = {
  instructions: 'Keeps notes.',
  tools: [
    {
      name: 'look',
      inputSchema: { type: 'object' },
      annotations: { readOnlyHint: true },
      'com.example/unknown': { kept: true },
    },
    { name: 'raze', inputSchema: { type: 'object' } },
    {
      name: 'find',
      inputSchema: {
        type: 'object',
        properties: { query: { type: 'string' }, page: { type: 'integer' } },
        required: ['query'],
      },
    },
  ],
  prompts: [{ name: 'greet', arguments: [{ name: 'who' }] }],
  resourceTemplates: [{ uriTemplate: 'note://{id}', name: 'note' }],
};

export function scriptedServer(): ScriptedServer {
  const received: Answered[] = [];
  const [tools, prompts] = [[...NOTES.tools], [...NOTES.prompts]] as [Answered[], Answered[]];
  const say = (message: object) => setImmediate(() => transport.onmessage?.({ jsonrpc: '2.0', ...message }));
  const half = (items: Answered[], cursor: unknown, key: string) =>
    // Two pages, so that who reads one alone is found out.
    cursor === undefined ? { [key]: items.slice(0, 1), nextCursor: 'more' } : { [key]: items.slice(1) };
  const server: Omit<ScriptedServer, 'transport'> = {
    received,
    tools,
    prompts,
    answers: {
      initialize: ({ protocolVersion }) => ({
        protocolVersion,
        capabilities: { tools: { listChanged: true }, prompts: {}, resources: {} },
        serverInfo: { name: 'notes', version: '1.0.0' },
        instructions: NOTES.instructions,
      }),
      'tools/list': ({ cursor }) => half(tools, cursor, 'tools'),
      'prompts/list': ({ cursor }) => half(prompts, cursor, 'prompts'),
      'resources/templates/list': () => ({ resourceTemplates: NOTES.resourceTemplates }),
      'resources/list': () => ({ resources: [] }),
      'tools/call': ({ name }) => ({ content: [{ type: 'text', text: `did ${name}` }] }),
      'prompts/get': () => ({ messages: [{ role: 'user', content: { type: 'text', text: 'Greet them.' } }] }),
      'resources/read': ({ uri }) => ({ contents: [{ uri, text: 'a note' }] }),
    },
    say,
    requestsOf: (method) => received.filter((message) => message.method === method),
    async take(message) {
      received.push(message);
      const { id, method, params = {} } = message;
      if (id === undefined || method === undefined) return undefined;
      const answer = server.answers[method];
      if (answer === undefined) return { id, error: { code: -32_601, message: 'no such method' } };
      const said = await answer(params);
      if (said === undefined) return undefined;
      return 'error' in said ? { id, ...said } : { id, result: said };
    },
  };
  const transport = new ScriptedTransport(
    (message) => void server.take(message).then((answer) => (answer === undefined ? undefined : say(answer))),
  );
  return Object.assign(server, { transport });
}

export const MODERN = '2026-07-28';

/** Makes a scripted server speak the stateless era. */
export function speakModern({ answers }: ScriptedServer): void {
  const complete = { resultType: 'complete', ttlMs: 0, cacheScope: 'private' };
  for (const [method, answer] of Object.entries(answers)) {
    answers[method] = async (params) => ({ ...complete, ...(await answer(params)) });
  }
  delete answers['initialize'];
  answers['server/discover'] = () => ({
    ...complete,
    supportedVersions: [MODERN],
    capabilities: { tools: {}, prompts: {}, resources: {} },
    instructions: NOTES.instructions,
    _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'notes', version: '1.0.0' } },
  });
}
