import type { Digest } from '../../kernel/digest.js';

/** The call whose response holds the text. */
export interface CallContext {
  /** Names of the operations of the task's pinned capabilities. */
  readonly operations: readonly string[];
  /** The request: for example its arguments as JSON text. Addresses that occur in it are not new. */
  readonly request: string;
}

/** After this many findings of severity high, the rest of a long text or response is flagged without a search. */
export const ENOUGH = 64;
/** The detector of what was flagged without a search. */
export const REST = 'rest';

/** `high` quarantines the response, `low` marks a span of an accepted one, `info` is only counted. */
export type Severity = 'info' | 'low' | 'high';

export type InstructionKind =
  | 'override'
  | 'role_marker'
  | 'tool_directive'
  | 'exfiltration'
  | 'memory_directive'
  | 'hidden_text'
  | 'encoded_instruction'
  | 'authority_claim'
  | 'linear_model';

export interface InstructionFinding {
  /** The rule, view or model that found it. */
  readonly detector: string;
  readonly kind: InstructionKind;
  /** UTF-16 offsets in the text that was given; the end is excluded. */
  readonly span: readonly [number, number];
  readonly severity: Severity;
  /**
   * The view of the linear model: its score, the threshold, the n-grams that weigh most with their spans, the corpus it
   * learned from.
   */
  readonly model?: {
    readonly score: number;
    readonly threshold: number;
    readonly ngrams: readonly string[];
    readonly spans: readonly (readonly [number, number])[];
    readonly corpus: Digest;
  };
}

export interface InstructionRules {
  /** Names the phrases, the model and the version of the code that reads them. */
  readonly digest: Digest;
  /** Findings in order of their spans. Takes linear time; never throws for a text. Attacker-controlled: `text`. */
  readonly find: (text: string, context: CallContext) => readonly InstructionFinding[];
}
