import { randomBytes, randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { isJsonObject, type Json, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import type { Role } from '../../../libs/vocabulary/words.js';
import { openServer, type OpenServer, type Target } from '../capture/observe.js';
import { findProvenance } from '../provenance/provenance.js';
import { registrationOf, type Registration } from '../capture/registration.js';
import { createCall, path, ServiceProblem, type Call } from '../client.js';
import { serviceFor } from '../connection.js';
import { at, printable } from '../print.js';
import type { World } from '../world.js';
import { DemoFailure, DOCUMENT, type Stage } from './stage.js';

const TIMEOUT_MS = 30_000;

/** The actors of the story, and the steps of its host. */
export interface Scene {
  readonly id: string;
  readonly version: string;
  /** A file that the server may read, and a file that nobody ever writes. */
  readonly file: string;
  readonly forged: string;
  readonly server: OpenServer;
  readonly registration: Registration;
  readonly as: (role: Role) => Call;
  /** Opens a task for ana. The default scope reads files. */
  openTask(scope?: Json): Promise<JsonObject>;
  closeTask(task: JsonObject): Promise<JsonObject>;
  /** Asks for a call of the running server, as a host observes it. `change` makes one part different. */
  ask(task: JsonObject, operation: string, args: JsonObject, change?: Change): Promise<JsonObject>;
}

export interface Change {
  readonly version?: string;
  readonly digest?: string;
  /** Another capability than the file server, with what the host observed of it. */
  readonly capability?: string;
  readonly observed?: JsonObject;
  readonly context?: Json;
}

/** Starts the real file server, and prepares its registration as `sallyport capture` would. */
export async function setScene(stage: Stage, world: World): Promise<Scene> {
  const as = (role: Role): Call => createCall(serviceFor({ ...world, env: stage.env }, { server: stage.server }, role));
  const entry = serverFile();
  const command = [process.execPath, entry, stage.documents];
  const target: Target = { command, env: [] };
  const server = await openServer(target, { protocol: 'auto', clientCapabilities: {}, timeoutMs: TIMEOUT_MS });
  const id = `demo-filesystem-${randomBytes(4).toString('hex')}`;
  const { observation } = server;
  const place = { cwd: dirname(entry), env: process.env };
  const { registration } = registrationOf(
    target,
    observation,
    await findProvenance(command, place, server.processes()),
    {
      id,
      kind: 'mcp-server',
      category: 'files',
      owner: 'team-documents',
      sensitivity: 'confidential',
    },
  );
  const host = as('host');
  return {
    id,
    version: registration.version.version,
    file: join(stage.documents, DOCUMENT),
    forged: join(stage.documents, 'forged.txt'),
    server,
    registration,
    as,
    openTask: (scope = [{ capability: id, effects: ['read'] }]) =>
      host('POST', path('tasks'), {
        agent: 'scribe',
        user: { id: 'ana', roles: ['analyst'] },
        purpose: 'read the notes about the gates',
        scope,
      }),
    closeTask: (task) => host('POST', path('tasks', at(task, 'taskId'), 'close'), { reason: 'the end of the story' }),
    ask: (task, operation, args, change = {}) =>
      host(
        'POST',
        path('calls', 'authorize'),
        defined({
          callId: randomUUID(),
          taskId: at(task, 'taskId'),
          capability: change.capability ?? id,
          context: change.context,
          version: change.version,
          operation,
          arguments: args,
          observed: change.observed ?? {
            definitionDigest: change.digest ?? observation.fingerprint.digest,
            probe: observation.probe,
            server: registration.version.manifest.server,
          },
        }),
      ),
  };
}

/** Calls a tool of the real server with exactly the arguments that the decision lets out. */
export async function callServer(server: OpenServer, tool: string, outbound: Json | undefined): Promise<JsonObject> {
  if (!isJsonObject(outbound)) throw new DemoFailure('the allow does not say what may be sent');
  const reply = await server.request('tools/call', { name: tool, arguments: outbound }, TIMEOUT_MS);
  if (!reply.ok) throw new DemoFailure(`the file server refused: ${printable(reply.message)}`);
  return reply.result;
}

/** The problem code of a refused request, or `done`. */
export async function refusalOf(answer: Promise<unknown>): Promise<string> {
  try {
    await answer;
    return 'done';
  } catch (error) {
    if (error instanceof ServiceProblem) return error.code;
    throw error;
  }
}

function serverFile(): string {
  const find = createRequire(import.meta.url);
  try {
    return join(dirname(find.resolve('@modelcontextprotocol/server-filesystem/package.json')), 'dist', 'index.js');
  } catch {
    throw new DemoFailure('the package @modelcontextprotocol/server-filesystem is not installed (npm install)');
  }
}
