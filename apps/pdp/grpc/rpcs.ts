import type { Metadata } from '@grpc/grpc-js';
import { z } from 'zod';
import { authorizeCall } from '../../../libs/contract/calls.js';
import type { Operation } from '../../../libs/contract/operation.js';
import { OPERATIONS } from '../../../libs/contract/operations.js';
import { JsonText } from '../../../libs/kernel/json-text.js';
import { authorize } from '../calls/authorize.js';
import type { Principal } from '../edge/access.js';
import { askedFor, type Asked, type Handled } from '../edge/asked.js';
import { parseInput } from '../edge/body.js';
import { awaitPosition, positionOf } from '../edge/freshness.js';
import type { Service } from '../service.js';

/** The caller of a gRPC method, and the metadata of the message. */
export interface Calling {
  readonly caller: Principal;
  readonly metadata: Metadata;
  /** Size of the message in bytes, as read. */
  readonly bytes: number;
}

/** A gRPC method with one message each way. */
export interface Rpc {
  readonly operation: Operation;
  /**
   * Answers a raw request in the JSON shape of the contract. Throws `Problem`, and the errors that `problemOf` knows.
   */
  readonly serve: (request: unknown, calling: Calling) => Promise<object>;
}

/** One value of the metadata; undefined if there is none. */
export function textIn(metadata: Metadata, key: string): string | undefined {
  const value = metadata.get(key)[0];
  return typeof value === 'string' ? value : undefined;
}

/** Decides one call. The method for one call and the stream share it. */
export const authorizeOver = ({ decisions: { authorizer }, settings }: Service, request: unknown, calling: Calling) =>
  authorize({ authorizer, limits: settings.limits }, request, {
    ...calling,
    traceparent: textIn(calling.metadata, 'traceparent'),
  });

/** The gRPC methods by `Service/Method`: every operation of the contract that names one. */
export function rpcsOf(service: Service, handled: readonly Handled[]): ReadonlyMap<string, Rpc> {
  const rpcs = new Map<string, Rpc>();
  for (const operation of OPERATIONS) {
    if (operation.rpc === undefined) continue;
    const handle = handled.find((each) => each.operation === operation)?.handle;
    if (operation === authorizeCall) {
      rpcs.set(operation.rpc, { operation, serve: (request, calling) => authorizeOver(service, request, calling) });
    } else if (handle === undefined) {
      throw new Error(`no controller handles ${operation.id}`);
    } else {
      rpcs.set(operation.rpc, {
        operation,
        serve: (request, calling) => serve(service, { operation, handle }, request, calling),
      });
    }
  }
  return rpcs;
}

async function serve(
  { control: { view } }: Service,
  { operation, handle }: Handled,
  request: unknown,
  calling: Calling,
): Promise<object> {
  const asked = askedIn(operation, request, calling);
  if (operation.method === 'GET') await awaitPosition(view, positionOf(memberOf(request, 'minPosition')));
  return withoutTexts((await handle(asked)) as object);
}

const memberOf = (shape: unknown, name: string): unknown => (shape as Readonly<Record<string, unknown>>)[name];

/** In a message, the parameters of the path, the query and the body are fields of the same level. */
function askedIn(operation: Operation, request: unknown, { caller, metadata, bytes }: Calling): Asked<Operation> {
  const names = Object.keys(operation.params?.shape ?? {});
  const members = Object.entries(request as object);
  const params = Object.fromEntries(members.filter(([name]) => names.includes(name)));
  const rest = Object.fromEntries(members.filter(([name]) => !names.includes(name)));
  const body = operation.rawBody === true ? textsIn(rest) : rest;
  return askedFor(
    operation,
    { caller, params, query: rest, body },
    { traceparent: textIn(metadata, 'traceparent'), idempotencyKey: textIn(metadata, 'idempotency-key'), bytes },
  );
}

const OfTask = z.looseObject({ taskId: z.string() });

/** The members of a raw body. JSON stays as the bytes that were sent. */
function textsIn(members: object): unknown {
  const plain = Object.entries(parseInput(OfTask, members));
  return Object.fromEntries(plain.map(([name, value]) => [name, value instanceof JsonText ? value.bytes : value]));
}

/** An answer whose JSON text is parsed, because a message holds it as fields. */
function withoutTexts(answer: object): object {
  if (!Object.values(answer).some((value) => value instanceof JsonText)) return answer;
  return Object.fromEntries(
    Object.entries(answer).map(([name, value]) => [
      name,
      value instanceof JsonText ? JSON.parse(value.toString()) : value,
    ]),
  );
}
