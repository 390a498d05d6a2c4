import type { RecordedEvent } from '../../../libs/event-log/port.js';
import { openReadingLog, type ReadingLog } from '../../../libs/event-log/sqlite/reading-log.js';
import { families, familyOf } from '../../../libs/streams/catalogue.js';
import type { Answered } from '../../support/service.js';

/**
 * The content of the log, read from its first event to its last: neither the index nor a query takes part. It keeps the
 * facts about calls, and of the other events the members that a filter can name.
 */
export interface LogFacts {
  readonly calls: CallFact[];
  readonly events: EventFact[];
  /** The present status of each version, by `<capability>@<version>`. */
  readonly statuses: ReadonlyMap<string, string>;
  /** Position of the last event that was read. */
  readonly end: bigint;
  /** Reads what was written since. */
  readOn(): Promise<void>;
  close(): void;
}

export interface CallFact {
  readonly position: bigint;
  readonly timeMs: number;
  readonly actor: string;
  readonly callId: string;
  readonly taskId: string;
  readonly traceId: string;
  readonly host: string;
  readonly capability: string;
  readonly version: string | undefined;
  readonly operation: string;
  readonly decision: string;
  readonly reason: string;
  readonly refused: boolean;
  readonly policyVersion: number | undefined;
  hasResponse: boolean;
  hasOutcome: boolean;
}

export interface EventFact {
  readonly position: bigint;
  readonly type: string;
  readonly stream: string;
  readonly actor: string;
  readonly timeMs: number;
  readonly capabilities: ReadonlySet<string>;
}

const PAGE = 1000;

/** Opens the file of a log that a service may be writing to. */
export function openFacts(logFile: string): LogFacts {
  const onDamaged = ({ position }: { readonly position: bigint }) => {
    throw new Error(`the event at position ${position} is damaged`);
  };
  return new Facts(openReadingLog(logFile, onDamaged));
}

class Facts implements LogFacts {
  readonly calls: CallFact[] = [];
  readonly events: EventFact[] = [];
  readonly statuses = new Map<string, string>();
  end = 0n;
  private readonly byCall = new Map<string, CallFact>();
  /** The version of the policies in force after each revision of their stream. */
  private readonly policies: (number | undefined)[] = [undefined];
  /** The capability of each directive that has one, because a lifting names the directive alone. */
  private readonly directives = new Map<string, string>();

  constructor(private readonly log: ReadingLog) {}

  async readOn(): Promise<void> {
    for (;;) {
      const page = await this.log.readAll({ after: this.end, limit: PAGE });
      if (page.length === 0) return;
      for (const event of page) this.add(event);
      this.end = page.at(-1)?.position ?? this.end;
    }
  }

  close(): void {
    this.log.release();
  }

  private add({ position, stream, revision, type, json }: RecordedEvent): void {
    const family = familyOf(stream);
    if (family === undefined || family.role === 'bookkeeping') return;
    const { actor, time, traceId, data } = family.read(json) as Answered;
    const timeMs = Date.parse(time);
    this.events.push({ position, type, stream, actor, timeMs, capabilities: this.capabilitiesOf(stream, type, data) });
    if (stream === 'policy-default')
      this.policies[revision] =
        type === 'PolicyReviewed' && data.verdict === 'approved' ? data.policyVersion : this.policies[revision - 1];
    if (type === 'CallDecided' || type === 'CallRefused') {
      const { callId, taskId, host, capability, version, operation, decision, reason, basis } = data;
      const policyVersion = this.policies[basis['policy-default'] ?? 0];
      const of = { callId, taskId, host, capability, version, operation, decision, reason, policyVersion, actor };
      const refused = type === 'CallRefused';
      const call = { ...of, position, timeMs, traceId, refused, hasResponse: false, hasOutcome: false };
      this.calls.push(call);
      this.byCall.set(`${taskId} ${callId}`, call);
    }
    const answered = this.byCall.get(`${data.taskId} ${data.callId}`);
    if (type === 'ResponseValidated' && answered !== undefined) answered.hasResponse = true;
    if (type === 'OutcomeRecorded' && answered !== undefined) answered.hasOutcome = true;
    const status = STATUSES[type]?.(data);
    if (status !== undefined) this.statuses.set(`${data.capability}@${data.version}`, status);
  }

  /** The capabilities that an event is about: its own, and those that its data name. */
  private capabilitiesOf(stream: string, type: string, data: Answered): ReadonlySet<string> {
    const found = new Set<string>();
    const own = families.capability.idOf(stream);
    for (const name of [own, data.capability, data.target?.capability]) if (typeof name === 'string') found.add(name);
    for (const { capability } of data.scope ?? []) if (capability !== undefined) found.add(capability);
    if (type === 'DirectiveIssued' && data.target?.capability !== undefined)
      this.directives.set(data.id, data.target.capability);
    const lifted = type === 'DirectiveLifted' ? this.directives.get(data.id) : undefined;
    if (lifted !== undefined) found.add(lifted);
    return found;
  }
}

const STATUSES: Readonly<Record<string, (data: Answered) => string | undefined>> = {
  VersionProposed: () => 'pending',
  VersionReviewed: ({ verdict }) => verdict,
  VersionSuspended: ({ host }) => (host === undefined ? 'suspended' : undefined),
  VersionReinstated: () => 'approved',
  VersionRevoked: () => 'revoked',
};
