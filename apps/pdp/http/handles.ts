import 'reflect-metadata';
import type { Readable } from 'node:stream';
import {
  applyDecorators,
  createParamDecorator,
  Header,
  HttpCode,
  RequestMapping,
  RequestMethod,
  UseInterceptors,
  type ExecutionContext,
} from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { statusOf, type AnswerOf, type Operation } from '../../../libs/contract/operation.js';
import type { ResponseText } from '../../../libs/decision-point/content-jobs.js';
import { JsonText } from '../../../libs/kernel/json-text.js';
import { askedFor, type Asked, type Handled } from '../edge/asked.js';
import { EvidenceReadsInterceptor } from './evidence-reads.js';
import { LocationInterceptor } from './routing.js';
import { WorkInterceptor } from './work.js';
import { traceparentOf } from './traceparent.js';

const HANDLED = Symbol('handled operation');

/** The answer of a method. The method of an event stream writes its answer itself. */
type Given<Op extends Operation> = Op extends { readonly media: 'text/event-stream' } ? void : AnswerOf<Op>;

type Method<Op extends Operation, Answer> = (asked: Asked<Op>, ...more: never[]) => Answer | Promise<Answer>;
type Decorator<Op extends Operation, Answer> = <Served extends Method<Op, Answer>>(
  target: object,
  key: string,
  descriptor: TypedPropertyDescriptor<Served>,
) => void;

/** A path template of the contract in the router's syntax: `/v1/tasks/:taskId`. */
export const routeOf = ({ path }: Operation): string => path.replaceAll(/\{(\w+)\}/g, ':$1');

/** The request as the first argument of a method, read by the schemas of the operation. */
const AskedOverHttp = createParamDecorator((op: Operation, context: ExecutionContext) =>
  askedOver(op, context.switchToHttp().getRequest<FastifyRequest>()),
);

const askedOver = (op: Operation, request: FastifyRequest): Asked<Operation> => {
  const { principal: caller, params, query } = request;
  return askedFor(
    op,
    { caller, params, query, body: op.rawBody === true ? textOf(request.body) : request.body },
    {
      traceparent: traceparentOf(request),
      idempotencyKey: request.headers['idempotency-key'],
      bytes: request.bodyBytes ?? 0,
    },
  );
};

/** A body that stayed raw; without a content type there is none. */
const textOf = (body: unknown): ResponseText => ({ body: body instanceof JsonText ? body.bytes : new Uint8Array() });

/**
 * Serves an operation of the contract by a method, which gets the request as its first argument. The operation supplies
 * method, path, roles, limits, validation and status. `write` turns the answer into JSON over HTTP, if `JSON.stringify`
 * does not suit. `write` replaces the method, so no other decorator may come below this one then.
 */
export function Handles<const Op extends Operation>(op: Op): Decorator<Op, Given<Op>>;
export function Handles<const Op extends Operation, Answer>(
  op: Op,
  write: (answer: Answer) => string | Uint8Array | Readable | undefined,
): Decorator<Op, Answer>;
export function Handles(op: Operation, write?: (answer: never) => unknown) {
  return (target: object, key: string, descriptor: PropertyDescriptor): void => {
    const { value: handle } = descriptor as { value: Handled['handle'] };
    AskedOverHttp(op)(target, key, 0);
    if (write !== undefined) {
      descriptor.value = async function (this: object, ...args: [Asked<Operation>, ...unknown[]]) {
        return write((await handle.apply(this, args)) as never);
      };
    }
    Reflect.defineMetadata(HANDLED, { operation: op, handle } satisfies Handled, descriptor.value as object);
    const json = { 'content-type': 'application/json; charset=utf-8' };
    const headers = { ...(write === undefined || op.media !== undefined ? {} : json), ...op.headers };
    applyDecorators(
      RequestMapping({ path: routeOf(op), method: RequestMethod[op.method] }),
      HttpCode(statusOf(op)),
      RouteConfig({ operation: op }),
      ...Object.entries(headers).map(([name, value]) => Header(name, value)),
      ...(op.location === undefined ? [] : [UseInterceptors(new LocationInterceptor(op.location))]),
      ...(op.admission === 'audits' ? [UseInterceptors(WorkInterceptor, EvidenceReadsInterceptor)] : []),
    )(target, key, descriptor);
  };
}

/** The operations that the methods of a controller serve. */
export function handledBy(controller: object): Handled[] {
  const prototype = Object.getPrototypeOf(controller) as object;
  return Object.getOwnPropertyNames(prototype).flatMap((name) => {
    const method = (prototype as Record<string, unknown>)[name];
    const handled = Reflect.getMetadata(HANDLED, method as object) as Handled | undefined;
    return handled === undefined ? [] : [{ ...handled, handle: handled.handle.bind(controller) }];
  });
}
