import type { JsonObject } from '../kernel/canonical-json.js';
import type { Digest } from '../kernel/digest.js';
import type { Instant } from '../kernel/time.js';
import type { ServerEvidence } from '../calls/events.js';
import type { Probe } from '../capability/definition.js';
import type { ShownProbe } from '../capability/probe.js';

/** A call as it is decided: the request, whose it is, and when. Replay makes the same one from the record. */
export interface Call {
  readonly callId: string;
  readonly taskId: string;
  readonly host: string;
  readonly capability: string;
  readonly version?: string | undefined;
  readonly operation: string;
  readonly arguments: JsonObject;
  /** How many context items came along. */
  readonly contextItems: number;
  readonly observed: {
    /** What the server was asked with. A record holds it only if the definition differs under another probe. */
    readonly asked?: Probe | ShownProbe | undefined;
    readonly definition?: Digest | undefined;
    /** A whole definition came along, not only its digest. */
    readonly whole?: true | undefined;
    readonly probe?: Digest | undefined;
    readonly server: ServerEvidence;
  };
  readonly decidedAt: Instant;
}
