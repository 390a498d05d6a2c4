import type { JsonObject } from '../kernel/canonical-json.js';
import type { Digest } from '../kernel/digest.js';
import type { Instant } from '../kernel/time.js';
import type { DecisionInputs, ServerEvidence } from '../calls/events.js';
import type { ArgumentLabel, ContextItem } from '../calls/requests.js';
import type { Probe } from '../capability/definition.js';
import type { ShownProbe } from '../capability/probe.js';

/** A call to decide: the request, its host, and the time. Replay builds the same call from the record. */
export interface Call {
  readonly callId: string;
  readonly taskId: string;
  readonly host: string;
  readonly capability: string;
  readonly version?: string | undefined;
  readonly operation: string;
  readonly arguments: JsonObject;
  /** The context items in the request. Empty if content was not read: `contextItems` still counts them. */
  readonly context: readonly ContextItem[];
  readonly contextItems: number;
  /** The caller's words about its arguments. */
  readonly labels: readonly ArgumentLabel[];
  /** Labels that the service worked out from its settings and from earlier content of the task. */
  readonly inputs: DecisionInputs;
  readonly observed: {
    /** The probe that the host sent to the server. A record holds it only if the definition differs under another probe. */
    readonly asked?: Probe | ShownProbe | undefined;
    readonly definition?: Digest | undefined;
    /** The request held the whole definition, not only its digest. */
    readonly whole?: true | undefined;
    /** That definition equals the pinned one, if a member that is null counts as absent. */
    readonly equalButForNulls?: true | undefined;
    readonly probe?: Digest | undefined;
    readonly server: ServerEvidence;
  };
  readonly decidedAt: Instant;
}
