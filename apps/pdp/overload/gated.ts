import { INLINE_BYTES, bytesOf } from '../../../libs/decision-point/content-desk.js';
import type { Responder } from '../../../libs/decision-point/responder.js';
import type { Tasks } from '../../../libs/decision-point/tasks.js';
import { Overloaded } from '../edge/problem.js';
import type { Authorizing } from '../observability/measured-authorizer.js';
import type { Gate } from './gate.js';
import type { FairShareLimiter } from '../../../libs/kernel/fair-share-limiter.js';

/** The requests of hosts, behind one gate. Stops never pass through it: a full service can still be disabled. */

export type Responding = Pick<Responder, 'respond' | 'fetch' | 'release' | 'recordOutcome'>;
export type TaskKeeping = Pick<Tasks, 'open' | 'close' | 'get'>;

/** A response is held three times: as its text, in its canonical form and as its envelope. */
const COPIES = 3;

export const gatedAuthorizer = (inner: Authorizing, gate: Gate): Authorizing => ({
  authorize: (request, caller, traceparent) =>
    gate.run((aside) => inner.authorize(request, caller, traceparent, aside)),
});

/** `texts` limits the bytes of larger responses in progress. Their work goes on after their client has gone. */
export const gatedResponder = (inner: Responding, gate: Gate, texts: FairShareLimiter): Responding => ({
  respond: (callId, text, caller) =>
    gate.run(async (aside) => {
      const bytes = bytesOf(text);
      const hold = texts.hold(caller.name);
      // One response of a host is always let in, so that an idle service accepts even the largest.
      const amount = Math.min(bytes * COPIES, texts.each);
      if (bytes > INLINE_BYTES && !hold.take(amount))
        throw new Overloaded('responses', 'too many responses are being worked on');
      try {
        return await inner.respond(callId, text, caller, aside);
      } finally {
        hold.end();
      }
    }),
  fetch: (callId, taskId, caller) => gate.run((aside) => inner.fetch(callId, taskId, caller, aside)),
  release: (release) => inner.release(release),
  recordOutcome: (...asked) => gate.run(() => inner.recordOutcome(...asked)),
});

/** Closing a task frees memory, so it is always let in. */
export const gatedTasks = (inner: TaskKeeping, gate: Gate): TaskKeeping => ({
  open: (task) => gate.run(() => inner.open(task)),
  close: (...asked) => inner.close(...asked),
  get: (...asked) => gate.run(() => inner.get(...asked)),
});
