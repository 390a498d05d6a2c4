import type { Responder } from '#libs/decision-point/responder.js';
import type { Tasks } from '#libs/decision-point/tasks.js';
import type { Authorizing } from '../observability/measured-authorizer.js';
import type { Gate } from './gate.js';

/** What hosts ask, behind one gate. Stops of any kind never go through it: a service that is full can be disabled. */

export type Responding = Pick<Responder, 'respond' | 'recordOutcome'>;
export type TaskKeeping = Pick<Tasks, 'open' | 'close' | 'get'>;

export const gatedAuthorizer = (inner: Authorizing, gate: Gate): Authorizing => ({
  authorize: (...asked) => gate.run(() => inner.authorize(...asked)),
});

export const gatedResponder = (inner: Responding, gate: Gate): Responding => ({
  respond: (callId, text, caller) => gate.run((aside) => inner.respond(callId, text, caller, aside)),
  recordOutcome: (...asked) => gate.run(() => inner.recordOutcome(...asked)),
});

/** Closing a task gives something back, so it is always let in. */
export const gatedTasks = (inner: TaskKeeping, gate: Gate): TaskKeeping => ({
  open: (task) => gate.run(() => inner.open(task)),
  close: (...asked) => inner.close(...asked),
  get: (...asked) => gate.run(() => inner.get(...asked)),
});
