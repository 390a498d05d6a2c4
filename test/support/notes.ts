import { Client as ClientV2 } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import type { Guarded, Host, Probe } from '../../libs/host/index.js';
import type { McpTransport } from '../../libs/mcp/client.js';
import { scopeOf } from './guarded.js';
import { MODERN, NOTES, scriptedServer, speakModern, type ScriptedServer } from './mcp-server.js';
import type { TestService } from './service.js';
import { approve, expecting, INTEGRITY } from './world.js';

let count = 0;

/** The notes as a capability of its own. */
async function registered(service: TestService, probe?: Probe): Promise<string> {
  count += 1;
  const id = `notes-${count}`;
  const reads = { effects: ['read'] };
  const operations = {
    look: reads,
    raze: { effects: ['modify'] },
    find: reads,
    'prompt:greet': reads,
    'template:note://{id}': reads,
    'resource:note://payroll': { effects: ['modify'] },
    'resource:note://open': reads,
    'client:roots/list': reads,
    'client:elicitation/create': reads,
  };
  const version = {
    version: '1.0.0',
    source: { type: 'npm', name: '@example/notes', version: '1.0.0', integrity: INTEGRITY },
    definition: { ...NOTES, resources: ['note://payroll', 'note://open'].map((uri) => ({ uri, name: uri })) },
    manifest: { operations, sensitivity: 'internal', server: { method: 'package', integrity: INTEGRITY } },
    ...(probe === undefined ? {} : { probe }),
  };
  const body = { id, kind: 'mcp-server', category: 'notes', owner: 'team-notes', version };
  expecting(201, await service.call('registrar', 'POST', '/v1/capabilities', body));
  await approve(service, id);
  return id;
}

/** Which generation of the MCP SDK, and in which era it speaks. */
export type Sdk = 'v1' | 'v2' | 'v2 of 2026-07-28';

/** The notes, their scripted server and a client, with a task that may only read; nothing is connected yet. */
export interface Stage {
  readonly server: ScriptedServer;
  readonly capability: string;
  readonly traceId: string;
  readonly guard: () => Promise<Guarded>;
  readonly mcp: ClientV1 | ClientV2;
}

export interface StageParts {
  readonly mcp?: ClientV1 | ClientV2;
  /** How the server is reached; within the test if it is absent. */
  readonly transportOf?: (server: ScriptedServer) => McpTransport | Promise<McpTransport>;
  readonly requestMs?: number;
  /** The exceptions of the version's review. */
  readonly probe?: Probe;
}

export async function stageOf(by: Host, service: TestService, sdk: Sdk, more: StageParts = {}): Promise<Stage> {
  const capability = await registered(service, more.probe);
  const task = await by.openTask(scopeOf(capability, { effects: ['read'] }));
  const server = scriptedServer();
  if (sdk === 'v2 of 2026-07-28') speakModern(server);
  const evidence = { method: 'package', integrity: INTEGRITY } as const;
  const { mcp = clientOf(sdk), transportOf = ({ transport }) => transport, requestMs } = more;
  const options = {
    task,
    capability,
    transport: await transportOf(server),
    server: evidence,
    lateMs: 400,
    ...(requestMs === undefined ? {} : { requestMs }),
  };
  return { server, capability, traceId: task.traceId, guard: () => by.guard(mcp, options), mcp };
}

export function clientOf(sdk: Sdk): ClientV1 | ClientV2 {
  const info = { name: 't', version: '1' };
  if (sdk === 'v1') return new ClientV1(info, { capabilities: { sampling: {}, elicitation: {}, roots: {} } });
  return new ClientV2(info, sdk === 'v2' ? {} : { versionNegotiation: { mode: { pin: MODERN } } });
}
