import {
  evolveApprovals,
  isAboutApprovals,
  noApprovals,
  wordKey,
  type Approval,
  type ApprovalUse,
} from '../calls/approvals.js';
import type { ClientApproval } from '../calls/events.js';
import { taints } from '../calls/taint.js';
import type { RecordedEvent } from '../event-log/port.js';
import type { Instant } from '../kernel/time.js';
import { families } from '../streams/catalogue.js';
import { isWhole, readOnce } from './soundness.js';

/** A value from a revision of the stream on. */
interface From<Value> {
  readonly revision: number;
  readonly value: Value;
}

/**
 * The approvals of one task at every revision of its calls. It is made in one walk, which later events continue. Each
 * question looks only at the few events that concern it, so calls may be decided again in any order. A damaged event
 * counts as absent: if it mattered, the decision that rested on it comes out otherwise.
 */
export class ApprovalHistory {
  private readonly approvals = new Map<string, From<Approval>[]>();
  private readonly words = new Map<string, From<ApprovalUse>[]>();
  private tainted: From<Instant> | undefined;
  private readonly folded = noApprovals();
  private taken = 0;
  private values = 0;

  /** The revision of the last event that was taken. */
  get revision(): number {
    return this.taken;
  }

  /** The number of values that it holds. */
  get size(): number {
    return this.values;
  }

  /** Takes the next events of `calls-<taskId>`, in order. */
  take(events: readonly RecordedEvent[]): void {
    const { folded } = this;
    for (const event of events) {
      this.taken = event.revision;
      if (!mayConcern(event) || !isWhole(event)) continue;
      const read = readOnce(event);
      if (read?.ok !== true || !families.calls.owns(read.value)) continue;
      const fact = read.value;
      const { revision } = event;
      if (fact.type === 'ResponseValidated' && taints(fact.data)) this.tainted ??= { revision, value: fact.time };
      if (!isAboutApprovals(fact)) continue;
      if (fact.type === 'ApprovalDecided' && !folded.byId.has(fact.data.approvalId)) continue;
      evolveApprovals(folded, fact);
      this.values += 1;
      const id = fact.type === 'CallDecided' ? (fact.data.approval ?? '') : fact.data.approvalId;
      added(this.approvals, id, revision, folded.byId.get(id));
      if (fact.type !== 'CallDecided' || fact.data.inputs?.clientApproval === undefined) continue;
      const key = wordKey(fact.data.inputs.clientApproval);
      added(this.words, key, revision, folded.words.get(key));
    }
  }

  /** Of the events before a revision. */
  taintedBefore(revision: number): Instant | undefined {
    return this.tainted !== undefined && this.tainted.revision < revision ? this.tainted.value : undefined;
  }

  approvalBefore(revision: number, approvalId: string): Approval | undefined {
    return before(this.approvals, approvalId, revision);
  }

  wordUseBefore(revision: number, word: ClientApproval): ApprovalUse | undefined {
    return before(this.words, wordKey(word), revision);
  }
}

/** Of a task without calls. */
export const NO_HISTORY = new ApprovalHistory();

/** Most events of calls concern no approval. Their text shows it, which is cheaper than reading them. */
const mayConcern = ({ type, json }: RecordedEvent): boolean =>
  type === 'ApprovalRequested' ||
  type === 'ApprovalDecided' ||
  (type === 'CallDecided' && json.includes('"approval":')) ||
  (type === 'ResponseValidated' && json.includes('"handling":'));

function added<Value>(lists: Map<string, From<Value>[]>, key: string, revision: number, value?: Value): void {
  if (value === undefined) return;
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  list.push({ revision, value });
}

const before = <Value>(lists: ReadonlyMap<string, From<Value>[]>, key: string, revision: number): Value | undefined =>
  lists.get(key)?.findLast((each) => each.revision < revision)?.value;
