import type { JsonObject } from '../kernel/canonical-json.js';
import type { Digest } from '../kernel/digest.js';
import type { Instant } from '../kernel/time.js';
import type { ServerEvidence } from '../calls/events.js';
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
  /** The number of context items in the request. */
  readonly contextItems: number;
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
