import { setTimeout as pause } from 'node:timers/promises';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Answered } from '../../support/service.js';
import { asBytes, connect } from '../grpc-client.js';
import type { Decide, RunHost } from './mixed-run.js';

/** Decisions over one gRPC stream for each host: the fastest way through the front door. */

/** Requests of one message. */
const MAX_REQUESTS = 48;
/** Requests that were refused for load are asked again after this time. */
const RETRY_MS = 200;

interface HostStream {
  ask(bodies: readonly Answered[]): Promise<readonly Answered[]>;
  end(): void;
}

/** `end` closes the streams. */
export function decideByStream(address: string): { readonly decide: Decide; readonly end: () => void } {
  const streams = new Map<string, HostStream>();
  return {
    async decide(host, bodies) {
      const stream = streams.get(host.name) ?? streamOf(address, host);
      streams.set(host.name, stream);
      const answers = new Map<Answered, Answered>();
      for (let left = bodies; left.length > 0;) {
        const some = left.slice(0, MAX_REQUESTS);
        for (const [at, answer] of (await stream.ask(some)).entries())
          if (answer.reason !== 'overloaded') answers.set(some[at], answer);
        left = left.filter((body) => !answers.has(body));
        if (some.some((body) => !answers.has(body))) await pause(RETRY_MS);
      }
      return bodies.map((body) => answers.get(body));
    },
    end: () => streams.forEach((stream) => stream.end()),
  };
}

function streamOf(address: string, { token }: RunHost): HostStream {
  const { client, metadata, method } = connect({ address, token }, 'AuthorizeStream');
  const stream: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(
    method.path,
    asBytes,
    asBytes,
    metadata,
    {},
  );
  const waiting: { resolve(answers: readonly Answered[]): void; reject(error: unknown): void }[] = [];
  stream.on('data', (bytes: Buffer) => {
    const { answers } = method.responseDeserialize(bytes) as { answers: readonly Answered[] };
    waiting.shift()?.resolve(answers.map(({ decision, problem }) => decision ?? { reason: problem?.code }));
  });
  stream.on('error', (error) => waiting.splice(0).forEach(({ reject }) => reject(error)));
  return {
    ask: (bodies) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        stream.write(method.requestSerialize({ requests: bodies.map(messageOf) }));
      }),
    end() {
      stream.end();
      client.close();
    },
  };
}

/** Only what a mixed run asks over the stream: requests with the digest of a definition. */
const messageOf = ({ callId, taskId, arguments: given, observed, ...call }: Answered): object => ({
  ...call,
  call_id: callId,
  task_id: taskId,
  arguments: Buffer.from(JSON.stringify(given)),
  observed: { definition_digest: observed.definitionDigest, server: observed.server },
});
