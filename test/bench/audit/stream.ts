import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Answered } from '../../support/service.js';
import { asBytes, connect } from '../grpc-client.js';
import type { Decide, RunHost } from './mixed-run.js';

/** Decisions over one gRPC stream for each host: the fastest way through the front door. */

/** Requests of one message. */
const MAX_REQUESTS = 48;

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
      const answers: Answered[] = [];
      for (let at = 0; at < bodies.length; at += MAX_REQUESTS)
        answers.push(...(await stream.ask(bodies.slice(at, at + MAX_REQUESTS))));
      return answers;
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
