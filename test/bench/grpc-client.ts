import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import { projectRoot } from '../support/root.js';
import { CALL_ID, type Asked } from './target.js';

/** A host that asks over gRPC for a while. It runs within the benchmark's own process, unlike `wrk`. */

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
  readonly call_id?: string;
  readonly decision?: string;
}
interface StreamAnswers {
  readonly answers: readonly { readonly decision?: Decision }[];
}

const LAST_ANSWER_MS = 10_000;

/** Calls of their own, `inFlight` at a time. */
export async function askUnary(asking: Asking, inFlight: number): Promise<Answers> {
  const { client, metadata, method } = connect(asking, 'Authorize');
  const next = questions(asking);
  const waitedMs: number[] = [];
  let wrong = 0;
  const startedMs = performance.now();
  const endMs = startedMs + asking.durationS * 1000;
  const one = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const { message, expected } = next();
      const sentMs = performance.now();
      const answer = await new Promise<Decision | undefined>((resolve) => {
        const deadline = Date.now() + LAST_ANSWER_MS;
        client.makeUnaryRequest<object, Decision>(
          method.path,
          method.requestSerialize,
          method.responseDeserialize as (bytes: Buffer) => Decision,
          message,
          metadata,
          { deadline },
          (error, value) => resolve(error === null ? value : undefined),
        );
      });
      waitedMs.push(performance.now() - sentMs);
      if (answer?.decision !== expected) wrong += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  const durationS = (performance.now() - startedMs) / 1000;
  client.close();
  return { decisions: waitedMs.length, durationS, waitedMs, wrong };
}

/** One stream, with so many requests in a message and so many messages on their way. */
export async function askStream(asking: Asking, batch: number, inFlight: number): Promise<Answers> {
  const { client, metadata, method } = connect(asking, 'AuthorizeStream');
  const next = questions(asking);
  const waitedMs: number[] = [];
  const sent: { readonly sentMs: number; readonly expected: readonly string[] }[] = [];
  let decisions = 0;
  let wrong = 0;
  const startedMs = performance.now();
  const durationMs = asking.durationS * 1000;
  const stream = client.makeBidiStreamRequest<object, StreamAnswers>(
    method.path,
    method.requestSerialize,
    method.responseDeserialize as (bytes: Buffer) => StreamAnswers,
    metadata,
    { deadline: Date.now() + durationMs + LAST_ANSWER_MS },
  );
  const send = (): void => {
    const asked = Array.from({ length: batch }, next);
    sent.push({ sentMs: performance.now(), expected: asked.map(({ expected }) => expected) });
    stream.write({ requests: asked.map(({ message }) => message) });
  };
  const ended = new Promise<void>((resolve, reject) => {
    stream.on('error', reject);
    stream.on('end', resolve);
  });
  stream.on('data', ({ answers }: StreamAnswers) => {
    const { sentMs, expected } = sent.shift() ?? { sentMs: Number.NaN, expected: [] };
    waitedMs.push(performance.now() - sentMs);
    decisions += answers.length;
    wrong += expected.filter((decision, index) => answers[index]?.decision?.decision !== decision).length;
    if (performance.now() - startedMs < durationMs) send();
    else if (sent.length === 0) stream.end();
  });
  for (let message = 0; message < inFlight; message += 1) send();
  await ended;
  const durationS = (performance.now() - startedMs) / 1000;
  client.close();
  return { decisions, durationS, waitedMs, wrong };
}

function connect({ address, token }: Asking, name: string) {
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

/** The questions of the load, one after the other for ever, as messages. */
function questions({ asked }: Asking): () => { readonly message: object; readonly expected: string } {
  const made = asked.map(({ body, question }) => {
    const { arguments: given, observed, ...call } = JSON.parse(body.replace(CALL_ID, '')) as Record<string, unknown>;
    const { definitionDigest, server } = observed as { definitionDigest: string; server: object };
    return {
      expected: question.allowed ? 'allow' : 'deny',
      message: {
        task_id: call['taskId'],
        capability: call['capability'],
        operation: call['operation'],
        arguments: Buffer.from(JSON.stringify(given)),
        observed: { definition_digest: definitionDigest, server },
      },
    };
  });
  let next = 0;
  return () => {
    const question = made[next++ % made.length];
    if (question === undefined) throw new Error('there are no questions');
    return { message: { ...question.message, call_id: randomUUID() }, expected: question.expected };
  };
}
