import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '../capture/stdio.js';
import { startChild, type Child } from '../children.js';
import { printable } from '../print.js';

/** The place of the story: a folder of documents, and a service of its own unless another one is named. */
export interface Stage {
  readonly server: string;
  readonly env: NodeJS.ProcessEnv;
  /** The folder that the file server may see. */
  readonly documents: string;
  /** Stops the service as an operator would, and removes everything. Throws if the service did not stop cleanly. */
  clear(): Promise<void>;
}

/** A step of the story ended unexpectedly. */
export class DemoFailure extends Error {
  override readonly name = 'DemoFailure';
}

export const DOCUMENT = 'notes.txt';
export const WORDS = 'The east gate opens at nine. The west gate stays shut.';

const PDP = fileURLToPath(new URL('../../pdp/main.js', import.meta.url));
const READY_MS = 20_000;
const STOP_MS = 10_000;

export async function setStage(server: string | undefined): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-demo-'));
  const documents = join(folder, 'documents');
  mkdirSync(documents);
  writeFileSync(join(documents, DOCUMENT), `${WORDS}\n`);
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  // This also runs if a signal ends the process in the middle of the story.
  process.once('exit', remove);
  if (server !== undefined) return { server, env: process.env, documents, clear: async () => remove() };
  const data = join(folder, 'data');
  const http = `127.0.0.1:${await freePort()}`;
  const service = startService({
    SALLYPORT_HTTP: http,
    SALLYPORT_GRPC: `127.0.0.1:${await freePort()}`,
    SALLYPORT_METRICS: 'off',
    SALLYPORT_DATA: data,
  });
  try {
    await ready(`http://${http}`, service);
  } catch (error) {
    await service.child.stop();
    remove();
    throw error;
  }
  const clear = async (): Promise<void> => {
    service.child.signal('SIGTERM');
    const how = await Promise.race([service.child.gone, delay(STOP_MS, 'still running', { ref: false })]);
    await service.child.stop();
    remove();
    if (how !== 'exit code 0') throw new DemoFailure(`the service did not stop cleanly: ${how}`);
  };
  return { server: `http://${http}`, env: { SALLYPORT_DATA: data }, documents, clear };
}

interface Service {
  readonly child: Child;
  said(): string;
}

function startService(settings: Record<string, string>): Service {
  const child = startChild(process.execPath, [PDP], { env: { ...childEnvironment(process.env, []), ...settings } });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(-4000);
    });
  }
  return { child, said: () => said };
}

async function ready(url: string, service: Service): Promise<void> {
  const end = performance.now() + READY_MS;
  const stillRuns = (): Promise<string> => Promise.race([service.child.gone, delay(50, '', { ref: false })]);
  let gone = '';
  while (gone === '' && performance.now() < end) {
    const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(1000) }).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.status === 200) return;
    gone = await stillRuns();
  }
  const why = gone === '' ? `it was not ready within ${READY_MS / 1000} s` : `it ended with ${gone}`;
  throw new DemoFailure(`the service does not start: ${why}. It said: ${printable(service.said().trim(), 1500)}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new DemoFailure('no free port');
  return address.port;
}
