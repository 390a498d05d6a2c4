import type { ArgumentError, AskedApproval, Difference, Finding } from '../service/answers.js';
import { ServiceError } from '../service/client.js';
import { failureOf, type ServerFailure } from './failure.js';

/** Why a guarded call has no content. `reason` is for programs. */
export interface Refusal {
  /**
   * A reason code of the decision (`outside_task_scope`, `disabled`, …), a code of the service's problems (`overloaded`,
   * `unreachable`, …), or a reason of the guard itself: `host_stale`, `expired`, `cancelled`, `input_required`,
   * `server_unreachable`, `server_timeout`, `server_protocol_error`, `server_definition`, `call_changed`,
   * `response_rejected`, `response_quarantined`, `internal_error`.
   */
  readonly reason: string;
  /** Who refused: the service, or this host without asking. */
  readonly by: 'service' | 'host';
  readonly callId: string;
  readonly detail?: string;
  readonly findings?: readonly Finding[];
  /** The kind of failure, if the server failed. */
  readonly kind?: ServerFailure['kind'];
  /** The code of the server's failure: `ENOENT`, `ECONNREFUSED`, `-32601`, `HTTP 404`, … */
  readonly cause?: string;
  /** For `arguments_invalid`: which argument fails which keyword of the schema, so that the agent can correct it. */
  readonly errors?: readonly ArgumentError[];
  /** For `approval_required` and `approval_denied`: the approval, for `host.waitForApproval`. */
  readonly approval?: AskedApproval;
  /** For `definition_drifted`: how the server differs from its review. */
  readonly difference?: Difference;
}

/**
 * A call was refused. The message and the refusal hold no text of the server. `cause` is the error of the MCP client, if
 * there was one: it may quote the server, so show it to no model.
 */
export class CallRefused extends Error {
  override readonly name = 'CallRefused';

  constructor(
    readonly refusal: Refusal,
    options?: ErrorOptions,
  ) {
    super(refusal.detail === undefined ? refusal.reason : `${refusal.reason}: ${refusal.detail}`, options);
  }
}

/** Any error as a refusal: every error ends the call. */
export function refusedBy(error: unknown, callId: string): CallRefused {
  if (error instanceof CallRefused) return error;
  if (error instanceof ServiceError) {
    return new CallRefused({ reason: error.code, by: 'host', callId, detail: error.message }, { cause: error });
  }
  const { name } = error instanceof Error ? error : { name: typeof error };
  return new CallRefused({ reason: 'internal_error', by: 'host', callId, cause: name }, { cause: error });
}

/** The failure of a server as a refusal. Rethrows an error of the program. */
export function refusedByServer(error: unknown, callId: string): CallRefused {
  const failure = failureOf(error);
  if (failure === undefined) throw error;
  return new CallRefused({ ...failure, by: 'host', callId }, { cause: error });
}
