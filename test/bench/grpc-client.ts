import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import { projectRoot } from '../support/root.js';
import { CALL_ID, type Asked } from './target.js';

/**
 * A host that asks over gRPC for a while, in the benchmark's own process, on the cores that the service needs. So that it
 * takes little more of them than `wrk` does, messages are written before the clock starts, and read after it has stopped.
 */

export interface Asking {
  readonly address: string;
  readonly token: string;
  readonly asked: readonly Asked[];
  readonly durationS: number;
}

/** Decisions that were answered, how long each message waited for its own, and what was no decision as expected. */
export interface Answers {
  readonly decisions: number;
  readonly durationS: number;
  readonly waitedMs: readonly number[];
  readonly wrong: number;
}

interface Decision {
  readonly decision?: string;
}

interface Message {
  readonly bytes: Buffer;
  /** The decisions that its answer has to hold. */
  readonly expected: readonly string[];
}

const LAST_ANSWER_MS = 10_000;
/** Decisions a second for which messages are made ahead; a faster service gets more of them while the clock runs. */
const AHEAD_PER_S = 8000;

/** Calls of their own, `inFlight` at a time. */
export async function askUnary(asking: Asking, inFlight: number): Promise<Answers> {
  const { client, metadata, method } = connect(asking, 'Authorize');
  const next = messages(asking, 1, ([request]) => method.requestSerialize(request ?? {}));
  const waitedMs: number[] = [];
  const answered: { readonly expected: readonly string[]; readonly bytes: Buffer | undefined }[] = [];
  const startedMs = performance.now();
  const endMs = startedMs + asking.durationS * 1000;
  const one = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const { bytes: message, expected } = next();
      const sentMs = performance.now();
      const bytes = await new Promise<Buffer | undefined>((resolve) => {
        const deadline = Date.now() + LAST_ANSWER_MS;
        client.makeUnaryRequest(method.path, asBytes, asBytes, message, metadata, { deadline }, (error, value) =>
          resolve(error === null ? value : undefined),
        );
      });
      waitedMs.push(performance.now() - sentMs);
      answered.push({ expected, bytes });
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  const durationS = (performance.now() - startedMs) / 1000;
  client.close();
  const wrong = answered.filter(({ expected: [expected], bytes }) => {
    return bytes === undefined || (method.responseDeserialize(bytes) as Decision).decision !== expected;
  });
  return { decisions: waitedMs.length, durationS, waitedMs, wrong: wrong.length };
}

/** One stream, with so many requests in a message and so many messages on their way. */
export async function askStream(asking: Asking, batch: number, inFlight: number): Promise<Answers> {
  const { client, metadata, method } = connect(asking, 'AuthorizeStream');
  const next = messages(asking, batch, (requests) => method.requestSerialize({ requests }));
  const waitedMs: number[] = [];
  const sent: { readonly sentMs: number; readonly expected: readonly string[] }[] = [];
  const answered: Message[] = [];
  const startedMs = performance.now();
  const durationMs = asking.durationS * 1000;
  const deadline = Date.now() + durationMs + LAST_ANSWER_MS;
  const stream = client.makeBidiStreamRequest(method.path, asBytes, asBytes, metadata, { deadline });
  const send = (): void => {
    const { bytes, expected } = next();
    sent.push({ sentMs: performance.now(), expected });
    stream.write(bytes);
  };
  const ended = new Promise<void>((resolve, reject) => {
    stream.on('error', reject);
    stream.on('end', resolve);
  });
  stream.on('data', (bytes: Buffer) => {
    const { sentMs, expected } = sent.shift() ?? { sentMs: Number.NaN, expected: [] };
    waitedMs.push(performance.now() - sentMs);
    answered.push({ bytes, expected });
    if (performance.now() - startedMs < durationMs) send();
    else if (sent.length === 0) stream.end();
  });
  for (let message = 0; message < inFlight; message += 1) send();
  await ended;
  const durationS = (performance.now() - startedMs) / 1000;
  client.close();
  let decisions = 0;
  let wrong = 0;
  for (const { bytes, expected } of answered) {
    const { answers } = method.responseDeserialize(bytes) as { answers: { decision?: Decision }[] };
    decisions += answers.length;
    wrong += expected.filter((decision, index) => answers[index]?.decision?.decision !== decision).length;
  }
  return { decisions, durationS, waitedMs, wrong };
}

export const asBytes = (bytes: Buffer): Buffer => bytes;

export function connect({ address, token }: Pick<Asking, 'address' | 'token'>, name: string) {
  const protos = loadSync('sallyport/v1/sallyport.proto', {
    includeDirs: [join(projectRoot, 'proto')],
    keepCase: true,
    longs: String,
    defaults: true,
  });
  const service = protos['sallyport.v1.Decisions'] as ServiceDefinition;
  const method = service[name] as MethodDefinition<object, object> | undefined;
  if (method === undefined) throw new Error(`the proto has no ${name}`);
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return { client: new Client(address, credentials.createInsecure()), metadata, method };
}

/** The questions of the load, one after the other for ever, so many in a message, each with an id of its own. */
function messages(
  { asked, durationS }: Asking,
  batch: number,
  written: (requests: readonly object[]) => Buffer,
): () => Message {
  const made = asked.map(({ body, question }) => {
    const { arguments: given, observed, ...call } = JSON.parse(body.replace(CALL_ID, '')) as Record<string, unknown>;
    const { definitionDigest, server } = observed as { definitionDigest: string; server: object };
    return {
      expected: question.allowed ? 'allow' : 'deny',
      request: {
        task_id: call['taskId'],
        capability: call['capability'],
        operation: call['operation'],
        arguments: Buffer.from(JSON.stringify(given)),
        observed: { definition_digest: definitionDigest, server },
      },
    };
  });
  let next = 0;
  const message = (): Message => {
    const all = Array.from({ length: batch }, () => made[next++ % made.length]).filter((each) => each !== undefined);
    const requests = all.map(({ request }) => ({ ...request, call_id: randomUUID() }));
    return { bytes: written(requests), expected: all.map(({ expected }) => expected) };
  };
  const ahead = Array.from({ length: Math.ceil((AHEAD_PER_S * durationS) / batch) }, message);
  return () => ahead.pop() ?? message();
}
