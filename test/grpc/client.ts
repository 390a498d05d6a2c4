import { readFileSync } from 'node:fs';
import {
  Client,
  Metadata,
  credentials,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ServiceError,
} from '@grpc/grpc-js';
import type { MethodDefinition } from '@grpc/proto-loader';
import { fromMessage, toMessage } from '../../apps/pdp/grpc/codec.js';
import type { Role } from '../../libs/vocabulary/words.js';
import { messageOf, serviceOf, type ServiceName } from '../../libs/wire/protos.js';
import type { Answered, TestService, Tokens } from '../support/service.js';
import type { TestContext } from '../support/testing.js';

/** The end of a call: a status, and its details. */
export interface Refused {
  readonly status: number;
  readonly code: string | undefined;
  readonly fields: readonly string[];
}

export type Who = Role | { token: string } | 'nobody';

const MAX_DEPTH = 256;

/** A host that speaks gRPC to a service, in the shapes of the wire contract. */
export class GrpcHost {
  readonly client: Client;

  constructor(
    private readonly service: { readonly tokens: Tokens; readonly server: { readonly grpc: string } },
    ca?: string,
  ) {
    const secure = ca === undefined ? credentials.createInsecure() : credentials.createSsl(readFileSync(ca));
    this.client = new Client(service.server.grpc, secure, { 'grpc.max_receive_message_length': -1 });
  }

  metadataOf(who: Who, headers: Readonly<Record<string, string>> = {}): Metadata {
    const metadata = new Metadata();
    const token = who === 'nobody' ? undefined : typeof who === 'string' ? this.service.tokens[who] : who.token;
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    return metadata;
  }

  /** The answer; rejects with `ServiceError`. */
  call(who: Who, rpc: string, request: unknown, headers: Record<string, string> = {}): Promise<Answered> {
    const { requestType } = typesOf(methodOf(rpc));
    return this.send(who, rpc, toMessage(requestType, request), headers);
  }

  /** The same with a message that is ready to be sent, or the bytes of one. */
  send(who: Who, rpc: string, message: object, headers: Record<string, string> = {}): Promise<Answered> {
    const method = methodOf(rpc);
    const serialize = (value: object) => (Buffer.isBuffer(value) ? value : method.requestSerialize(value));
    const metadata = this.metadataOf(who, headers);
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(
        method.path,
        serialize,
        method.responseDeserialize,
        message,
        metadata,
        {},
        (error, answer) => {
          if (error !== null) reject(error);
          else
            resolve(
              fromMessage(typesOf(method).responseType, answer as Record<string, unknown>, { maxDepth: MAX_DEPTH }),
            );
        },
      );
    });
  }

  stream(who: Who, headers: Record<string, string> = {}): DecisionsAsked {
    const method = methodOf('Decisions/AuthorizeStream');
    const serialize = (value: object) => (Buffer.isBuffer(value) ? value : method.requestSerialize(value));
    const call = this.client.makeBidiStreamRequest(
      method.path,
      serialize,
      method.responseDeserialize,
      this.metadataOf(who, headers),
    );
    const answers = call[Symbol.asyncIterator]();
    const whole = async (): Promise<Answered> => {
      const { value, done } = await answers.next();
      if (done === true) return undefined;
      return fromMessage('AuthorizeStreamResponse', value as Record<string, unknown>, { maxDepth: MAX_DEPTH });
    };
    return {
      call,
      ask: (requests) => call.write(toMessage('AuthorizeStreamRequest', { requests })),
      next: async () => (await whole())?.answers,
      whole,
    };
  }

  /** The feed of directives, as it comes. */
  watch(who: Who, request: unknown = {}): BeatsHeard {
    const method = methodOf('Directives/Watch');
    const message = toMessage('WatchDirectivesRequest', request);
    const { path, requestSerialize, responseDeserialize } = method;
    const call = this.client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
      this.metadataOf(who),
    );
    const beats = call[Symbol.asyncIterator]();
    return {
      call,
      async next() {
        const { value, done } = await beats.next();
        return done === true
          ? undefined
          : (fromMessage('Beat', value as Record<string, unknown>, { maxDepth: MAX_DEPTH }) as Answered);
      },
    };
  }

  close(): void {
    this.client.close();
  }
}

/** A stream of questions, from the host's side. */
export interface DecisionsAsked {
  readonly call: ClientDuplexStream<object, object>;
  ask(requests: readonly unknown[]): boolean;
  /** The answers of one message; undefined at the end. Rejects with `ServiceError`. */
  next(): Promise<Answered[] | undefined>;
  /** The same with the problem of the message. */
  whole(): Promise<Answered>;
}

/** A watch, from the host's side. */
export interface BeatsHeard {
  readonly call: ClientReadableStream<object>;
  /** The next beat; undefined at the end. Rejects with `ServiceError`. */
  next(): Promise<Answered>;
}

/** The content of an error, in its status and in its details. */
export function refusedWith(error: unknown): Refused {
  const { code: status, metadata } = error as ServiceError;
  const bytes = metadata?.get('grpc-status-details-bin')[0];
  return Buffer.isBuffer(bytes) ? detailsIn(bytes) : { status, code: undefined, fields: [] };
}

/** Reads the bytes of the metadata `grpc-status-details-bin`. */
export function detailsIn(bytes: Buffer): Refused {
  const detailed = messageOf('google.rpc.Status').deserialize(bytes) as { code: number; details: Any[] };
  const read = (type: string): Answered => {
    const found = detailed.details.find(({ type_url: url }) => url === `type.googleapis.com/${type}`);
    return found === undefined ? undefined : messageOf(type).deserialize(found.value);
  };
  const info = read('google.rpc.ErrorInfo');
  const fields = (read('google.rpc.BadRequest')?.field_violations ?? []) as { field: string }[];
  return { status: detailed.code, code: info.reason, fields: fields.map(({ field }) => field) };
}

/** The text about each wrong field. */
export function descriptionsIn(error: unknown): string[] {
  const violations = (detailIn(error, 'google.rpc.BadRequest')?.field_violations ?? []) as Answered[];
  return violations.map(({ description }) => description);
}

/** When the request may be sent again, in seconds; undefined if the error has no `google.rpc.RetryInfo`. */
export function retryIn(error: unknown): number | undefined {
  const delay = detailIn(error, 'google.rpc.RetryInfo')?.retry_delay;
  return delay === undefined ? undefined : Number(delay.seconds) + delay.nanos / 1e9;
}

function detailIn(error: unknown, type: string): Answered {
  const [bytes] = (error as ServiceError).metadata.get('grpc-status-details-bin');
  const { details } = messageOf('google.rpc.Status').deserialize(bytes as Buffer) as { details: Any[] };
  const found = details.find(({ type_url: url }) => url === `type.googleapis.com/${type}`);
  return found === undefined ? undefined : messageOf(type).deserialize(found.value);
}

interface Any {
  readonly type_url: string;
  readonly value: Buffer;
}

/** A host of this service, for as long as a test lasts. */
export function hostOf(t: TestContext, service: TestService): GrpcHost {
  const host = new GrpcHost(service);
  t.after(() => host.close());
  return host;
}

/** Awaits a refusal and gives what it says. */
export async function refusal(answer: Promise<unknown>): Promise<Refused> {
  try {
    await answer;
  } catch (error) {
    return refusedWith(error);
  }
  throw new Error('it was not refused');
}

function methodOf(rpc: string): MethodDefinition<object, object> {
  const [service = '', name = ''] = rpc.split('/');
  return serviceOf(service as ServiceName)[name] as MethodDefinition<object, object>;
}

function typesOf(method: MethodDefinition<object, object>): { requestType: string; responseType: string } {
  const name = (of: { type: object }) => (of.type as { name: string }).name;
  return { requestType: name(method.requestType), responseType: name(method.responseType) };
}
