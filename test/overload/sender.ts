import { randomUUID } from 'node:crypto';
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { createClient, ServiceError } from '../../libs/host/service/client.js';
import { askOverHttp } from '../../libs/host/service/http.js';
import type { JsonObject } from '../../libs/kernel/canonical-json.js';
import { COSTLY, type AllowedCalls, type Kind } from './costly.js';

/** Worker thread: one host that posts costly answers as the SDK does, all at once, on a message. */

export interface SenderData extends AllowedCalls {
  readonly url: string;
  readonly token: string;
  readonly kind: Kind;
}

/** Nobody gives up while the answers wait for each other. */
const TIMEOUT_MS = 180_000;

/** On Linux this is the thread's own. A host is on another machine: its work counts less than what is measured. */
const NICE = 10;
if (process.platform === 'linux') setPriority(NICE);

const { url, token, kind, taskId, callIds } = workerData as SenderData;
const ask = askOverHttp(new URL(url), () => token);
const client = createClient(ask, { instanceId: randomUUID(), timeoutMs: TIMEOUT_MS });
const results = callIds.map(() => COSTLY[kind]());

/** The verdict, or the code of the refusal. */
async function send(callId: string, result: JsonObject): Promise<string> {
  try {
    return (await client.validateResponse(callId, { taskId, result })).verdict;
  } catch (error) {
    if (error instanceof ServiceError) return error.code;
    throw error;
  }
}

parentPort?.once('message', () => {
  void Promise.all(callIds.map((callId, index) => send(callId, results[index] ?? {}))).then((given) =>
    parentPort?.postMessage(given),
  );
});
parentPort?.postMessage('ready');
