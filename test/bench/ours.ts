import { join } from 'node:path';
import { projectRoot, startFlags } from '../support/root.js';
import { callerOf, tokensOf, type Answered, type Callable, type Tokens } from '../support/service.js';
import { activatePolicy, approve, expecting, INTEGRITY, register } from '../support/world.js';
import { CATEGORIES, CEDAR, QUESTIONS, USERS } from './questions.js';
import { freePort, isUp, run, until, type Running } from './running.js';
import { CALL_ID, type Asked, type Target } from './target.js';

/** The service as it is run for real: a process of its own on SQLite in a folder, with tokens, policies and tasks. */

export interface Service extends Callable {
  readonly url: string;
  /** `host:port` of the gRPC interface. */
  readonly grpc: string;
  readonly running: Running;
  readonly tokens: Tokens;
  /** From the launch to the first 200 of `/health/ready`. */
  readonly readyMs: number;
}

const READY_MS = 300_000;
const TASKS_PER_USER = 16;
const VERSION = '1.0.0';

export async function startService(
  dataDir: string,
  nodeOptions: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Service> {
  const grpc = `127.0.0.1:${await freePort()}`;
  const startedMs = performance.now();
  const running = run(
    [process.execPath, ...startFlags(), ...nodeOptions, join(projectRoot, 'dist', 'apps', 'pdp', 'main.js')],
    {
      outputFile: `${dataDir}.log`,
      cwd: projectRoot,
      env: {
        SALLYPORT_DATA: dataDir,
        SALLYPORT_HTTP: '127.0.0.1:0',
        SALLYPORT_GRPC: grpc,
        SALLYPORT_METRICS: 'off',
        ...env,
      },
    },
  );
  const url = await until(running, () => /"url":"(https?:[^"]+)"/.exec(running.output())?.[1], READY_MS);
  await until(running, () => isUp(`${url}/health/ready`), READY_MS);
  const readyMs = performance.now() - startedMs;
  const tokens = tokensOf(dataDir);
  return { url, grpc, running, tokens, readyMs, call: callerOf(url, tokens) };
}

/** A server of one category with an operation for each action, as it is registered. */
const version = (name: string): Answered => ({
  version: VERSION,
  source: { type: 'npm', name: `@example/${name}`, version: VERSION, integrity: INTEGRITY },
  definition: {
    serverInfo: { name, version: VERSION },
    instructions: `Reads and changes ${name}.`,
    tools: ['read', 'write'].map((action) => ({
      name: action,
      description: `Does a ${action} on an entry of ${name}.`,
      inputSchema: {
        type: 'object',
        properties: { key: { type: 'string', maxLength: 200 }, limit: { type: 'integer', minimum: 1 } },
        required: ['key'],
        additionalProperties: false,
      },
      annotations: { readOnlyHint: action === 'read' },
    })),
  },
  manifest: {
    operations: { read: { effects: ['read'] }, write: { effects: ['write'] } },
    sensitivity: 'internal',
    server: { method: 'package', integrity: INTEGRITY },
  },
});

const serverOf = (category: string): string => `${category}-server`;

/** The service with the world of the questions: three servers, five policies, and tasks of each user. */
export async function startOurs(
  dataDir: string,
  nodeOptions: readonly string[] = [],
): Promise<Target & { readonly service: Service }> {
  const service = await startService(dataDir, nodeOptions);
  for (const category of CATEGORIES) {
    const body = { id: serverOf(category), kind: 'mcp-server', category, owner: 'bench' };
    expecting(
      201,
      await service.call('registrar', 'POST', '/v1/capabilities', { ...body, version: version(category) }),
    );
    await approve(service, serverOf(category));
  }
  await activatePolicy(service, CEDAR);
  return {
    name: 'sallyport',
    url: service.url,
    running: service.running,
    note: 'SQLite, every decision fsynced before it is answered; token, 14 checks, Cedar, encrypted arguments',
    decision: (answer) => ({ allow: true, deny: false })[(JSON.parse(answer) as { decision: string }).decision],
    asked: await requests(service),
    service,
  };
}

/** All questions, round by round, each round in tasks of its own, so that no task gets all the calls. */
async function requests(service: Service): Promise<Asked[]> {
  const headers = { authorization: `Bearer ${service.tokens.host}` };
  const asked: Asked[] = [];
  for (let round = 0; round < TASKS_PER_USER; round += 1) {
    const tasks = new Map<string, Answered>();
    for (const { id, role } of USERS) tasks.set(id, await openTask(service, id, role));
    for (const question of QUESTIONS) {
      const { taskId, pins } = tasks.get(question.user.id);
      const capability = serverOf(question.category);
      const pin = pins.find((each: Answered) => each.capability === capability);
      const body = JSON.stringify({
        callId: CALL_ID,
        taskId,
        capability,
        operation: question.action,
        arguments: { key: question.key, limit: 10 },
        observed: { definitionDigest: pin.definitionDigest, server: { method: 'package', integrity: INTEGRITY } },
      });
      asked.push({ question, path: '/v1/calls/authorize', headers, body });
    }
  }
  return asked;
}

async function openTask(service: Service, user: string, role: string): Promise<Answered> {
  const body = {
    agent: 'assistant',
    user: { id: user, roles: [role], attributes: { team: 'blue' } },
    purpose: 'measure how long a decision takes',
    scope: CATEGORIES.map((category) => ({ capability: serverOf(category), effects: ['read', 'write'] })),
  };
  return expecting(201, await service.call('host', 'POST', '/v1/tasks', body));
}

/** One server, one policy, one task with one call: what stores are filled with copies of. */
export async function seed(service: Service): Promise<Answered> {
  await register(service, 'memory');
  await approve(service, 'memory');
  return activatePolicy(service);
}
