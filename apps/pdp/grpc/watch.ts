import type { ServerWritableStream } from '@grpc/grpc-js';
import { z } from 'zod';
import { watchDirectives } from '../../../libs/contract/directives.js';
import type { WatchEnd, Watcher } from '../../../libs/feed/broadcast.js';
import type { Watches } from '../directives/watches.js';
import type { Principal } from '../edge/access.js';
import { parseInput } from '../edge/body.js';
import { Overloaded, Problem } from '../edge/problem.js';
import type { OpenCall } from '../overload/grpc.js';
import type { Service } from '../service.js';
import { toMessage } from './codec.js';
import { statusOf } from './status.js';
import type { ProblemOf } from './stream.js';

export type WatchCall = ServerWritableStream<Buffer, object>;

/** The request of a watch, by its name in the proto. */
export const WATCH_TYPE = 'WatchDirectivesRequest';

/** The problem that tells a client why its watch has ended. */
const ENDS: Readonly<Record<WatchEnd, Problem>> = {
  slow: new Overloaded('unread', 'the beats were not read'),
  lost: new Problem('revision_conflict', 'too much has changed meanwhile; ask again'),
  silent: new Problem('revision_conflict', 'nothing was acknowledged for too long; ask again'),
  revoked: new Problem('unauthenticated', 'the caller or its token is no longer valid'),
  leaving: new Problem('log_unavailable', 'the service is shutting down'),
};

/** The query of the HTTP operation; the epoch is a number here. */
const WatchRequest = watchDirectives.query.extend({ sinceEpoch: z.int().min(0).optional() });

/**
 * Sends the directive feed, with the same bounds as over HTTP. `request` has the shape of the contract and is not yet
 * checked.
 */
export async function serveWatch(
  call: WatchCall,
  caller: Principal,
  request: unknown,
  parts: {
    readonly watches: Watches;
    readonly problemOf: ProblemOf;
    readonly open: OpenCall;
    readonly onAnswer: Service['onGrpcAnswer'];
  },
): Promise<void> {
  const { watches, problemOf, open } = parts;
  const fail = (error: unknown): void => {
    if (call.cancelled) return;
    call.emit('error', statusOf(problemOf(error, call.metadata), WATCH_TYPE));
  };
  const watcher: Watcher = {
    send({ beat }, taken) {
      if (call.cancelled) return;
      parts.onAnswer?.(watchDirectives, beat);
      call.write(toMessage('Beat', beat), (error: unknown) => {
        if (error === undefined || error === null) taken();
      });
    },
    end(why) {
      // The status waits behind the beats. A client that does not read them would not read the end either.
      open.answering();
      fail(ENDS[why]);
    },
  };
  // The call has already closed, so no event would report it.
  if (call.cancelled) return;
  call.once('close', () => watches.closed(watcher));
  call.once('cancelled', () => watches.closed(watcher));
  try {
    await watches.watch(caller, parseInput(WatchRequest, request), watcher);
  } catch (error) {
    fail(error);
  }
}

/** Whether a call is a watch. A watch stays open while its host lives, and counts as a watch. */
export const isWatch = (path: string): boolean => path.endsWith('.Directives/Watch');
