import { Client, Metadata, credentials, type ServiceError as GrpcError } from '@grpc/grpc-js';
import type { MethodDefinition } from '@grpc/proto-loader';
import { watchDirectives } from '../../contract/directives.js';
import { messageCodec, type Message } from '../../wire/codec.js';
import { messageOf, protos, serviceOf, type MessageType, type ServiceName } from '../../wire/protos.js';
import { ServiceError, type Ask, type Question } from './client.js';

/** Fits a snapshot of the most directives that may be active, and its signed bytes. */
const MAX_MESSAGE_BYTES = 128 * 1024 * 1024;
const KEEPALIVE_MS = 20_000;

export interface GrpcOptions {
  /** `host:port`. */
  readonly address: string;
  readonly token: () => string;
  /** PEM of the authority that the service's certificate is checked with. Without it nothing is encrypted. */
  readonly ca?: Buffer | undefined;
}

export interface GrpcWay {
  readonly ask: Ask;
  /** The beats of `Directives.Watch`, as they are received; ends with the stream, throws `ServiceError`. */
  readonly watch: (request: object, signal: AbortSignal) => AsyncIterable<Readonly<Record<string, unknown>>>;
  close(): void;
}

/** Asks over gRPC, on one connection that reconnects by itself. Throws if the installation lacks the proto. */
export function askOverGrpc(options: GrpcOptions): GrpcWay {
  protos();
  const connection = new GrpcConnection(options);
  return {
    ask: (question, signal) => connection.ask(question, signal),
    watch: (request, signal) => connection.watch(request, signal),
    close: () => connection.close(),
  };
}

class GrpcConnection {
  private readonly client: Client;
  private readonly token: () => string;

  constructor({ address, token, ca }: GrpcOptions) {
    this.token = token;
    this.client = new Client(address, ca === undefined ? credentials.createInsecure() : credentials.createSsl(ca), {
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      // The environment may name a proxy: it would read the token from a connection that is not encrypted.
      ...(ca === undefined ? { 'grpc.enable_http_proxy': 0 } : {}),
    });
  }

  async ask({ rpc = '', message = {}, traceparent }: Question, signal: AbortSignal): Promise<unknown> {
    const { path, requestSerialize, responseDeserialize, requestType, responseType } = methodOf(rpc);
    const answered = Promise.withResolvers<object>();
    const call = this.client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      toMessage(nameOf(requestType), message),
      this.metadata(traceparent),
      {},
      (error, answer) => {
        signal.removeEventListener('abort', cancel);
        if (error === null) answered.resolve(answer ?? {});
        else answered.reject(problemOf(error));
      },
    );
    const cancel = () => call.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    const answer = await answered.promise;
    try {
      return shapeOf(responseType, answer);
    } catch {
      throw new ServiceError('unintelligible', 'the answer is not in the shape of the proto');
    }
  }

  async *watch(request: object, signal: AbortSignal): AsyncGenerator<Message, void, undefined> {
    const { path, requestSerialize, responseDeserialize, requestType, responseType } = methodOf(
      watchDirectives.rpcStream,
    );
    const message = toMessage(nameOf(requestType), request);
    const metadata = this.metadata();
    const call = this.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, message, metadata);
    const cancel = () => call.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      if (signal.aborted) cancel();
      for await (const answer of call) yield shapeOf(responseType, answer) as Message;
    } catch (error) {
      throw problemOf(error as GrpcError);
    } finally {
      signal.removeEventListener('abort', cancel);
      cancel();
    }
  }

  close(): void {
    this.client.close();
  }

  private metadata(traceparent?: string): Metadata {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${this.token()}`);
    if (traceparent !== undefined) metadata.set('traceparent', traceparent);
    return metadata;
  }
}

function methodOf(rpc: string): MethodDefinition<object, object> {
  const [service = '', name = ''] = rpc.split('/');
  const method = serviceOf(service as ServiceName)?.[name];
  if (method === undefined) throw new ServiceError('unintelligible', `the proto has no ${rpc}`);
  return method;
}

function problemOf(error: GrpcError): ServiceError {
  const [details] = error.metadata?.get('grpc-status-details-bin') ?? [];
  return new ServiceError(reasonIn(details) ?? 'unreachable', error.details);
}

const { fromMessage, toMessage } = messageCodec((bytes) => JSON.parse(String(bytes)) as unknown);

const nameOf = (message: MessageType): string => (message.type as { name: string }).name;
/** JSON of the service may nest to any depth: the service is trusted. */
const shapeOf = (type: MessageType, message: object): unknown =>
  fromMessage(nameOf(type), message as Message, { maxDepth: Number.POSITIVE_INFINITY });

/** The reason of the `google.rpc.ErrorInfo` in a status's details; undefined if none can be read. */
function reasonIn(details: unknown): string | undefined {
  if (!Buffer.isBuffer(details)) return undefined;
  try {
    const { details: all } = messageOf('google.rpc.Status').deserialize(details) as {
      details: { type_url: string; value: Buffer }[];
    };
    const info = all.find(({ type_url: url }) => url.endsWith('/google.rpc.ErrorInfo'));
    return info === undefined
      ? undefined
      : (messageOf('google.rpc.ErrorInfo').deserialize(info.value) as { reason: string }).reason;
  } catch {
    return undefined;
  }
}
