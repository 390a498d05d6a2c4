import type { Json, JsonObject } from '../../kernel/canonical-json.js';
import type { JsonPointer } from '../../kernel/pointer.js';
import type { Level } from '../../vocabulary/words.js';
import type { DetectedSpan } from '../detect/spans.js';
import type { ContentLabel } from './label.js';

/** Why a part of a request is left out, as the answer says it. */
export type RefusalReason = 'context_not_needed' | 'context_above_sensitivity' | 'context_too_large';

/** An argument that an operation needs. `*` in the pointer is every item of an array, or every member. */
export interface NeededArgument {
  readonly path: JsonPointer;
  /** Characters of the text, or of the JSON of another value. */
  readonly maxLength?: number | undefined;
  /** Types of spans (`pii:email`) that may leave in it. */
  readonly accepts?: readonly string[] | undefined;
}

/** The content that the manifest lets an operation see. */
export interface Needs {
  /** Absent: what the input schema declares. */
  readonly arguments?: readonly NeededArgument[] | undefined;
  /** Sources, or the beginning of sources and `*`. Absent: none. */
  readonly context?: readonly string[] | undefined;
  /** Bytes of one context item. */
  readonly contextBytes?: number | undefined;
}

/** A context item as the host offers it. */
export interface OfferedItem {
  readonly id: string;
  readonly source: string;
  readonly level?: Level | undefined;
  readonly categories?: readonly string[] | undefined;
  readonly content: string;
  readonly derivedFrom?: readonly string[] | undefined;
  readonly mimeType?: string | undefined;
  readonly required?: boolean | undefined;
}

/** A label that the caller states for a value of the arguments. */
export interface StatedLabel {
  /** Into the arguments. */
  readonly path: JsonPointer;
  readonly level?: Level | undefined;
  readonly categories?: readonly string[] | undefined;
  readonly source?: string | undefined;
}

/** A label that content has because of earlier content of its task. */
export interface FlowedLabel extends ContentLabel {
  /** `/context/<index>`, or `/arguments` and the ordinals of members in the order of their names (RFC 8785). */
  readonly path: JsonPointer;
  readonly source: string;
}

/** Everything that the filter looks at. Its answer is a function of this, of the pack, and of the schema. */
export interface FilterInput {
  readonly arguments: JsonObject;
  readonly context: readonly OfferedItem[];
  readonly labels: readonly StatedLabel[];
  /** The level of context items without one. */
  readonly contextLevel: Level;
  readonly flow: readonly FlowedLabel[];
  /** An approval lets content leave that only the high-water mark of its task (source `task`) put above the sensitivity. */
  readonly flowApproved?: boolean | undefined;
  readonly needs: Needs;
  /** The highest level that the capability may see. */
  readonly sensitivity: Level;
}

/** The rule pack, as the filter uses it. */
export interface Detecting {
  detect(
    text: string,
    options?: { readonly field?: string; readonly within?: string | undefined },
  ): readonly DetectedSpan[];
  levelOf(type: string): Level | undefined;
  isSecretField(field: string): boolean;
}

/** The reason for a label. `stated` is the word of the caller; `default` is the level of a context item without one. */
export type LabelOrigin = 'stated' | 'default' | 'flow' | 'detected';

/** The label of a part of what is sent. */
export interface SentLabel extends ContentLabel {
  /** Into the outbound: `/arguments/…` or `/context/<index>`. */
  readonly path: JsonPointer;
  readonly source: string;
}

export interface Redaction {
  /** Into the request. */
  readonly path: JsonPointer;
  /** Of the spans; or `not_declared`, `not_needed` or `above_sensitivity` for a value that was taken out whole. */
  readonly type: string;
  readonly count: number;
}

export interface FilterRefusal {
  /** Into the request. */
  readonly path: JsonPointer;
  readonly reason: RefusalReason;
}

/** The content that may be sent. */
export interface FilteredContent {
  readonly arguments: JsonObject;
  readonly context: readonly OfferedItem[];
  readonly redactions: readonly Redaction[];
  readonly refusals: readonly FilterRefusal[];
  readonly labels: readonly SentLabel[];
}

/** A label as it is recorded. */
export interface RecordedLabel extends ContentLabel {
  readonly path: JsonPointer;
  readonly by: LabelOrigin;
}

/** A context item as it is recorded. */
export interface RecordedItem extends ContentLabel {
  readonly path: JsonPointer;
  readonly bytes: number;
  /** It may be sent. */
  readonly sent: boolean;
  /** The entry of the manifest's `needs.context` that it matches. */
  readonly need?: string | undefined;
}

/**
 * The record of the filter's work. Pointers lead into the request; `*` replaces a name that neither the
 * schema nor the manifest has, because such a name may be content. Each list is bounded.
 */
export interface FilterRecord {
  readonly redactions: readonly Redaction[];
  readonly refusals: readonly FilterRefusal[];
  readonly items: readonly RecordedItem[];
  readonly labels: readonly RecordedLabel[];
}

export interface Denial {
  readonly reason: RefusalReason | 'filter_failed';
  /** Codes and pointers as they are recorded; never a value. */
  readonly evidence: Readonly<Record<string, Json>>;
}

export interface FilterResult {
  readonly outbound: FilteredContent;
  readonly obligations: readonly string[];
  readonly denial?: Denial | undefined;
  readonly record: FilterRecord;
}
