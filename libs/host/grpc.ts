import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Metadata, credentials, type ServiceError as GrpcError } from '@grpc/grpc-js';
import {
  loadSync,
  type MessageTypeDefinition,
  type MethodDefinition,
  type PackageDefinition,
  type ServiceDefinition,
} from '@grpc/proto-loader';
import { ServiceError, type Ask } from './client.js';
import { messageCodec } from './messages.js';

/** Beside the compiled package, or at the root of the sources. */
const PROTO_DIR = ['../proto', '../../../proto'].map((path) => join(import.meta.dirname, path)).find(existsSync) ?? '';
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const MAX_ADDRESS_IDLE_MS = 20_000;

export interface GrpcOptions {
  /** `host:port`. */
  readonly address: string;
  readonly token: () => string;
  /** PEM of the authority that the service's certificate is checked with; without it nothing is encrypted. */
  readonly ca?: Buffer | undefined;
}

export interface GrpcWay {
  readonly ask: Ask;
  /** The beats of `Directives.Watch`, as they are received; ends with the stream, throws `ServiceError`. */
  readonly watch: (request: object, signal: AbortSignal) => AsyncIterable<Readonly<Record<string, unknown>>>;
  close(): void;
}

/** Asks over gRPC, on one connection that comes back by itself. */
export function askOverGrpc({ address, token, ca }: GrpcOptions): GrpcWay {
  const protos = loadSync(['sallyport/v1/sallyport.proto', 'google/rpc/status.proto'], {
    includeDirs: [PROTO_DIR],
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
  });
  const codec = messageCodec((name) => protos[`sallyport.v1.${name}`] as Message | undefined);
  const client = new Client(address, ca === undefined ? credentials.createInsecure() : credentials.createSsl(ca), {
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.keepalive_time_ms': MAX_ADDRESS_IDLE_MS,
    // The environment may name one: it would read the token of what is not encrypted.
    ...(ca === undefined ? { 'grpc.enable_http_proxy': 0 } : {}),
  });

  const methodOf = (rpc: string): MethodDefinition<object, object> => {
    const [service = '', name = ''] = rpc.split('/');
    const method = (protos[`sallyport.v1.${service}`] as ServiceDefinition | undefined)?.[name];
    if (method === undefined) throw new ServiceError('unintelligible', `the proto has no ${rpc}`);
    return method;
  };
  const metadataOf = (traceparent?: string): Metadata => {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token()}`);
    if (traceparent !== undefined) metadata.set('traceparent', traceparent);
    return metadata;
  };
  const problemOf = (error: GrpcError): ServiceError => {
    const [details] = error.metadata?.get('grpc-status-details-bin') ?? [];
    return new ServiceError(reasonIn(details, protos) ?? 'unreachable', error.details);
  };

  const ask: Ask = (question, signal) =>
    new Promise((resolve, reject) => {
      const { rpc = '', message = {}, traceparent } = question;
      const { path, requestSerialize, responseDeserialize, requestType, responseType } = methodOf(rpc);
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        codec.toMessage(nameOf(requestType), message),
        metadataOf(traceparent),
        {},
        (error, answer) => {
          signal.removeEventListener('abort', cancel);
          if (error !== null) reject(problemOf(error));
          else resolve(codec.fromMessage(nameOf(responseType), answer as Record<string, unknown>));
        },
      );
      const cancel = () => call.cancel();
      signal.addEventListener('abort', cancel, { once: true });
      if (signal.aborted) cancel();
    });

  return {
    ask,
    async *watch(request, signal) {
      const { path, requestSerialize, responseDeserialize, requestType, responseType } = methodOf('Directives/Watch');
      const message = codec.toMessage(nameOf(requestType), request);
      const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, message, metadataOf());
      const cancel = () => call.cancel();
      signal.addEventListener('abort', cancel, { once: true });
      try {
        if (signal.aborted) cancel();
        for await (const answer of call) {
          yield codec.fromMessage(nameOf(responseType), answer as Record<string, unknown>) as Record<string, unknown>;
        }
      } catch (error) {
        throw problemOf(error as GrpcError);
      } finally {
        signal.removeEventListener('abort', cancel);
        cancel();
      }
    },
    close: () => client.close(),
  };
}

type Message = MessageTypeDefinition<object, object>;

const nameOf = (message: Message): string => (message.type as { name: string }).name;

/** The reason of the `google.rpc.ErrorInfo` in a status's details. */
function reasonIn(details: unknown, protos: PackageDefinition): string | undefined {
  if (!Buffer.isBuffer(details)) return undefined;
  const read = (name: string, bytes: Buffer) => (protos[name] as Message).deserialize(bytes);
  const { details: all } = read('google.rpc.Status', details) as { details: { type_url: string; value: Buffer }[] };
  const info = all.find(({ type_url: url }) => url.endsWith('/google.rpc.ErrorInfo'));
  return info === undefined ? undefined : (read('google.rpc.ErrorInfo', info.value) as { reason: string }).reason;
}
