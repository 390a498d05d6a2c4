import type { Finding } from './answers.js';
import { ServiceError } from './client.js';

/** Why a guarded call did not end with content. `reason` is for programs. */
export interface Refusal {
  /**
   * A reason code of the decision (`outside_task_scope`, `disabled`, …), a code of the service's problems (`overloaded`,
   * `unreachable`, …), or what the guard itself says: `host_stale`, `expired`, `server_unreachable`, `server_definition`,
   * `response_rejected`, `response_quarantined`.
   */
  readonly reason: string;
  /** Who refused: the service decided so, or this host by itself. */
  readonly by: 'service' | 'host';
  readonly callId: string;
  readonly detail?: string;
  readonly findings?: readonly Finding[];
}

/** A call was refused. Nothing that the server may have said is in it. */
export class CallRefused extends Error {
  override readonly name = 'CallRefused';

  constructor(readonly refusal: Refusal) {
    super(refusal.detail === undefined ? refusal.reason : `${refusal.reason}: ${refusal.detail}`);
  }
}

/** Whatever went wrong as a refusal: there is no error after which a call goes on. */
export function refusedBy(error: unknown, callId: string): CallRefused {
  if (error instanceof CallRefused) return error;
  if (error instanceof ServiceError) {
    return new CallRefused({ reason: error.code, by: 'host', callId, detail: error.message });
  }
  return new CallRefused({ reason: 'internal_error', by: 'host', callId });
}
