import type { CallContext, InstructionFinding, InstructionKind, Severity } from './finding.js';
import type { Mention } from './mention.js';
import type { PlainView } from './plain.js';
import type { Order } from './sentences.js';
import type { Words } from './tokens.js';

/** A finding before its span is mapped back: offsets in the text that was searched. */
export interface Hit {
  readonly detector: string;
  readonly kind: InstructionKind;
  readonly severity: Severity;
  readonly from: number;
  readonly to: number;
  readonly model?: NonNullable<InstructionFinding['model']>;
}

/** A text that is being searched. */
export interface Searched {
  readonly view: PlainView;
  readonly words: Words;
  readonly mayOrder: Uint8Array;
  readonly orders: readonly Order[];
  readonly mention: Mention;
  readonly context: CallContext;
}
