import {
  status,
  type sendUnaryData,
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { SERVICE_NAMES, fullName, servicesIn } from '../../../libs/wire/protos.js';
import type { Readiness } from '../health/readiness.js';

/** How long an answer holds, in milliseconds. Anyone may ask, so this bounds the questions to the log. */
const FRESH_MS = 250;
const WATCH_MS = 1000;

/** The service as a whole (the empty name), and each service by its name. */
const NAMES: readonly string[] = ['', ...SERVICE_NAMES.map(fullName)];

interface Asked {
  readonly service: string;
}
interface Answer {
  readonly status: 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';
}

/**
 * `grpc.health.v1.Health`. It answers SERVING only if a call could be allowed now, as `/health/ready` does. It needs no
 * token.
 */
export function serveHealth(server: Server, readiness: Readiness, leaving: AbortSignal): void {
  let latest: { readonly atMs: number; readonly answer: Promise<Answer> } | undefined;
  const current = (): Promise<Answer> => {
    const nowMs = performance.now();
    if (leaving.aborted) return Promise.resolve({ status: 'NOT_SERVING' });
    if (latest === undefined || nowMs - latest.atMs > FRESH_MS) {
      const answer = readiness
        .whyNot()
        .then((why): Answer => ({ status: why === undefined ? 'SERVING' : 'NOT_SERVING' }));
      latest = { atMs: nowMs, answer };
    }
    return latest.answer;
  };

  const { 'grpc.health.v1.Health': service } = servicesIn('grpc/health/v1/health.proto');
  if (service === undefined) throw new Error('no proto of grpc.health.v1.Health');
  server.addService(service, {
    async Check({ request }: ServerUnaryCall<Asked, Answer>, callback: sendUnaryData<Answer>) {
      if (NAMES.includes(request.service)) return callback(null, await current());
      callback({ code: status.NOT_FOUND, details: 'no such service' });
    },

    async List(_call: ServerUnaryCall<object, object>, callback: sendUnaryData<object>) {
      const answer = await current();
      callback(null, { statuses: Object.fromEntries(NAMES.map((name) => [name, answer])) });
    },

    /** Sends each change. On shutdown it sends that too, and then ends. */
    Watch(call: ServerWritableStream<Asked, Answer>) {
      if (call.cancelled) return;
      let told: string | undefined;
      const tell = async (): Promise<void> => {
        const known = NAMES.includes(call.request.service);
        const answer: Answer = known ? await current() : { status: 'SERVICE_UNKNOWN' };
        if (call.cancelled || told === answer.status) return;
        told = answer.status;
        call.write(answer);
        if (leaving.aborted) call.end();
      };
      const timer = setInterval(() => void tell(), WATCH_MS);
      const leave = (): void => void tell().then(() => call.end());
      const stop = (): void => {
        clearInterval(timer);
        leaving.removeEventListener('abort', leave);
      };
      leaving.addEventListener('abort', leave);
      for (const event of ['cancelled', 'close', 'finish']) call.on(event, stop);
      void tell();
    },
  });
}

/** Whether a call asks for health once and then ends. */
export const isCheck = (path: string): boolean => /^\/grpc\.health\.v1\.Health\/(Check|List)$/.test(path);
