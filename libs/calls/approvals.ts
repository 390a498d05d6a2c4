import { canonicalJson, type JsonObject } from '../kernel/canonical-json.js';
import { keyedDigest, type Digest, type SecretKey } from '../kernel/digest.js';
import type { Instant } from '../kernel/time.js';
import type { ApprovalStatus } from '../vocabulary/words.js';
import type { ApprovalDecided, ApprovalRequested, CallDecided } from './events.js';

/** The allow that rests on an approval, or on a client's word. `until`: the end of that allow. */
export interface ApprovalUse {
  readonly callId: string;
  readonly until: Instant;
}

/** An approval as its events tell. It never changes: each event makes another object. */
export interface Approval {
  readonly requested: ApprovalRequested;
  readonly requestedAt: Instant;
  readonly decided?: { readonly data: ApprovalDecided; readonly by: string; readonly at: Instant };
  readonly use?: ApprovalUse;
}

/** The approvals of one task. */
export interface Approvals {
  readonly byId: Map<string, Approval>;
  /** The id of the latest request for a content, by the digest of the content. */
  readonly byContent: Map<Digest, string>;
  /** Words of clients that an allow rests on, by `wordKey`. */
  readonly words: Map<string, ApprovalUse>;
}

export const noApprovals = (): Approvals => ({ byId: new Map(), byContent: new Map(), words: new Map() });

/** The latest approval that was requested for a content. */
export const approvalOf = ({ byId, byContent }: Approvals, content: Digest): Approval | undefined =>
  byId.get(byContent.get(content) ?? '');

/** An event about approvals, as far as they read it. */
export type ApprovalEvent = { readonly actor: string; readonly time: Instant } & (
  | { readonly type: 'ApprovalRequested'; readonly data: ApprovalRequested }
  | { readonly type: 'ApprovalDecided'; readonly data: ApprovalDecided }
  | {
      readonly type: 'CallDecided';
      readonly data: Pick<CallDecided, 'approval' | 'callId' | 'decision' | 'expiresAt' | 'inputs'>;
    }
);

const ABOUT: ReadonlySet<string> = new Set<ApprovalEvent['type']>([
  'ApprovalRequested',
  'ApprovalDecided',
  'CallDecided',
]);

/** Whether an event of a call may change what is known of approvals. */
export const isAboutApprovals = <Fact extends { readonly type: string }>(
  fact: Fact,
): fact is Extract<Fact, { type: ApprovalEvent['type'] }> => ABOUT.has(fact.type);

/** Folds an event in place. */
export function evolveApprovals({ byId, byContent, words }: Approvals, event: ApprovalEvent): void {
  if (event.type === 'ApprovalRequested') {
    const { approvalId, contentDigest } = event.data;
    byId.set(approvalId, { requested: event.data, requestedAt: event.time });
    byContent.set(contentDigest, approvalId);
  } else if (event.type === 'ApprovalDecided') {
    const approval = byId.get(event.data.approvalId);
    if (approval === undefined) throw new Error('ApprovalDecided before ApprovalRequested');
    byId.set(event.data.approvalId, { ...approval, decided: { data: event.data, by: event.actor, at: event.time } });
  } else if (event.data.decision === 'allow') {
    const { approval: id = '', callId, expiresAt, inputs } = event.data;
    const use = { callId, until: expiresAt ?? event.time };
    const approval = byId.get(id);
    if (approval !== undefined) byId.set(id, { ...approval, use });
    if (inputs?.clientApproval !== undefined) words.set(wordKey(inputs.clientApproval), use);
  }
}

/** Keeps the part of the state that the next event will replace. The function that it returns brings it back. */
export function approvalsBefore({ byId, byContent, words }: Approvals, event: ApprovalEvent): () => void {
  if (event.type === 'ApprovalDecided') return kept(byId, event.data.approvalId);
  if (event.type === 'ApprovalRequested') {
    const undos = [kept(byId, event.data.approvalId), kept(byContent, event.data.contentDigest)];
    return () => undos.forEach((undo) => undo());
  }
  const { approval, inputs } = event.data;
  const undos = [
    ...(approval === undefined ? [] : [kept(byId, approval)]),
    ...(inputs?.clientApproval === undefined ? [] : [kept(words, wordKey(inputs.clientApproval))]),
  ];
  return () => undos.forEach((undo) => undo());
}

function kept<Key, Value>(map: Map<Key, Value>, key: Key): () => void {
  const before = map.get(key);
  return () => void (before === undefined ? map.delete(key) : map.set(key, before));
}

/** The key of a client's word: the same word for the same content counts once. */
export const wordKey = ({ at, contentDigest }: { readonly at: Instant; readonly contentDigest: Digest }): string =>
  `${contentDigest} ${at}`;

/** The state of an approval at an instant. A denial stays one, and a use too. */
export function approvalStatus({ requested, decided, use }: Approval, at: Instant): ApprovalStatus {
  if (use !== undefined) return 'used';
  if (decided?.data.verdict === 'denied') return 'denied';
  if (at >= requested.expiresAt) return 'expired';
  return decided === undefined ? 'pending' : 'granted';
}

/** The content that an approval is bound to. `version` is the one that is asked for, else the pinned one. */
export interface ApprovedContent {
  readonly capability: string;
  readonly version: string;
  readonly operation: string;
  readonly arguments: JsonObject;
  readonly context: readonly object[];
  /** Labels that the host states for arguments: they decide which of them leave. */
  readonly labels?: readonly object[];
}

/** The digest of a content under the key of its task: equal only if every byte of its RFC 8785 form is. */
export const contentDigestOf = (key: SecretKey, content: ApprovedContent): Digest =>
  keyedDigest(
    key,
    canonicalJson({
      arguments: content.arguments,
      capability: content.capability,
      context: content.context,
      ...(content.labels === undefined || content.labels.length === 0 ? {} : { labels: content.labels }),
      operation: content.operation,
      version: content.version,
    }),
  );
