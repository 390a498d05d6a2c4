import type { Metadata } from '@grpc/grpc-js';
import { z } from 'zod';
import { taskView } from '../../../libs/audit/task-view.js';
import { AuthorizeRequest, OutcomeRequest } from '../../../libs/calls/requests.js';
import type { AuthorizeAnswer } from '../../../libs/decision-point/answer.js';
import { traceIdOf } from '../../../libs/kernel/ids.js';
import type { JsonText } from '../../../libs/kernel/json-text.js';
import { CloseTask, OpenTask } from '../../../libs/task/request.js';
import { Uuid } from '../../../libs/vocabulary/ids.js';
import type { ServiceName } from '../../../libs/wire/protos.js';
import { AckRequest, ListRequest } from '../directives/requests.js';
import { refuseTooLarge } from '../calls/limits.js';
import type { BodyLimit, Principal } from '../edge/access.js';
import { parseInput } from '../edge/body.js';
import { awaitPosition, positionOf } from '../edge/freshness.js';
import { checkedKey, idOfKey } from '../edge/idempotency.js';
import { Problem, unwrap } from '../edge/problem.js';
import type { Service } from '../service.js';
import { openedAnswer, refuseLargeTask } from '../tasks/opening.js';

/** Who calls, and what came with the message. */
export interface Asking {
  readonly caller: Principal;
  readonly metadata: Metadata;
  /** Size of the message as it was read. */
  readonly bytes: number;
}

export interface Rpc {
  /** Which of the limits on bodies holds for the message. */
  readonly body: BodyLimit;
  /** Refused before its message is read where too much is under way. */
  readonly gated: boolean;
  /** Answers a request in the contract's shape, as it came. Throws `Problem`, and what `problemOf` knows. */
  serve(request: unknown, asking: Asking): Promise<object>;
}

const OfCall = z.object({ callId: Uuid });
const OfTask = z.object({ taskId: Uuid });

/** One value of the metadata, where there is any. */
export function textIn(metadata: Metadata, key: string): string | undefined {
  const value = metadata.get(key)[0];
  return typeof value === 'string' ? value : undefined;
}

/** Decides one call; shared by the single one and the stream. */
export async function authorize(
  { authorizer, settings }: Service,
  request: unknown,
  { caller, metadata, bytes }: Asking,
): Promise<AuthorizeAnswer> {
  const asked = parseInput(AuthorizeRequest, request);
  refuseTooLarge(asked, bytes, settings.limits);
  return unwrap(await authorizer.authorize(asked, caller, textIn(metadata, 'traceparent')));
}

/** Every call with one message each way. All of them are for hosts. */
export function rpcsOf(service: Service): Record<ServiceName, Record<string, Rpc>> {
  const { responder, tasks, time, view, settings, secret, beatSigner, instances } = service;
  return {
    Decisions: {
      Authorize: {
        body: 'definitionBytes',
        gated: true,
        serve: (request, asking) => authorize(service, request, asking),
      },
      ValidateResponse: {
        body: 'responseBytes',
        gated: true,
        async serve(request, { caller }) {
          const { callId, taskId } = parseInput(OfCall.extend({ taskId: z.string() }), request);
          const { result, error } = request as { result?: JsonText; error?: JsonText };
          const text = { taskId, result: result?.bytes, error: error?.bytes };
          const { content, ...answer } = unwrap(await responder.respond(callId, text, caller));
          return content === undefined ? answer : { ...answer, content: JSON.parse(content.toString()) as unknown };
        },
      },
      RecordOutcome: {
        body: 'bodyBytes',
        gated: true,
        async serve(request, { caller }) {
          const { callId } = parseInput(OfCall, request);
          return unwrap(await responder.recordOutcome(callId, parseInput(OutcomeRequest, request), caller));
        },
      },
    },
    Directives: {
      List: {
        body: 'bodyBytes',
        gated: false,
        async serve(request, { caller }) {
          const { instanceId } = parseInput(ListRequest, request);
          await awaitPosition(view, positionOf((request as { minPosition?: unknown }).minPosition));
          const beat = await beatSigner.snapshot();
          if (instanceId !== undefined) instances.beatLeft(caller, instanceId);
          return beat;
        },
      },
      Acknowledge: {
        body: 'bodyBytes',
        gated: false,
        async serve(request, { caller }) {
          const { position } = unwrap(await instances.acknowledge(caller, parseInput(AckRequest, request)));
          return { position: String(position) };
        },
      },
    },
    Tasks: {
      Open: {
        body: 'bodyBytes',
        gated: true,
        async serve(request, { caller, metadata }) {
          const wanted = parseInput(OpenTask, request);
          refuseLargeTask(wanted, settings.limits);
          const key = () => checkedKey(textIn(metadata, 'idempotency-key'));
          const taskId = wanted.taskId ?? idOfKey(secret, caller.name, 'task', key());
          const parentTraceId = traceIdOf(textIn(metadata, 'traceparent'));
          const task = { taskId, traceId: wanted.traceId, parentTraceId, caller, request: wanted };
          const { lane, position } = unwrap(await tasks.open(task));
          return openedAnswer(lane, position);
        },
      },
      Get: {
        body: 'bodyBytes',
        gated: true,
        async serve(request, { caller }) {
          const { taskId } = parseInput(OfTask, request);
          await awaitPosition(view, positionOf((request as { minPosition?: unknown }).minPosition));
          const lane = await tasks.get(taskId, caller.name);
          if (lane === undefined) throw new Problem('not_found', 'no such task');
          return taskView(lane.task, lane.content, time.now(), lane.position);
        },
      },
      Close: {
        body: 'bodyBytes',
        gated: false,
        async serve(request, { caller }) {
          const { taskId, ...rest } = request as { taskId?: unknown };
          const { reason } = parseInput(CloseTask, rest);
          const { lane, position } = unwrap(await tasks.close(parseInput(OfTask, { taskId }).taskId, caller, reason));
          return { ...taskView(lane.task, lane.content, time.now()), position: String(position) };
        },
      },
    },
  };
}
