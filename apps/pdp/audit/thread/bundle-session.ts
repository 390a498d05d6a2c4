import { ExportStopped, type BundleExport } from '../../../../libs/bundle/export.js';
import type { ProofQuery, ProofSource } from '../../../../libs/bundle/proof-source.js';
import type { Refusal } from '../../../../libs/kernel/refusal.js';
import type { Result } from '../../../../libs/kernel/result.js';
import type { SealedEvidence } from '../../../../libs/seal/messages.js';

/** Characters of one piece of a download, about. */
const PIECE_CHARS = 262_144;

/** The next step of an export, as the thread answers it. */
export type BundleStep =
  /** The main thread has to ask the sealer, and to go on with its answer. */
  | { readonly kind: 'question'; readonly query: ProofQuery }
  | { readonly kind: 'begun'; readonly unsealed: number }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'piece'; readonly text: string }
  | { readonly kind: 'end' };

/**
 * One export in the thread for auditors. It goes step by step, so other requests have their turn in between. The sealer
 * answers the main thread alone, so questions to it leave through the steps.
 */
export class BundleSession implements ProofSource {
  private asked: ((answer: SealedEvidence | undefined) => void) | undefined;
  private onQuestion: ((query: ProofQuery) => void) | undefined;
  /** The work that a question interrupted. */
  private working: Promise<BundleStep> | undefined;
  private exported: BundleExport | undefined;

  constructor(
    readonly keys: readonly string[],
    private readonly open: (proofs: ProofSource) => Promise<Result<BundleExport | undefined, Refusal>>,
  ) {}

  ask(query: ProofQuery): Promise<SealedEvidence | undefined> {
    return new Promise((resolve) => {
      this.asked = resolve;
      this.onQuestion?.(query);
    });
  }

  /** Goes on, with the answer of the sealer if there was a question. Throws what the stores throw. */
  async step(answer: SealedEvidence | undefined): Promise<BundleStep> {
    const question = new Promise<BundleStep>((resolve) => {
      this.onQuestion = (query) => resolve({ kind: 'question', query });
    });
    this.asked?.(answer);
    this.asked = undefined;
    this.working ??= this.exported === undefined ? this.begin() : this.next(this.exported);
    const step = await Promise.race([this.working.catch(stopped), question]);
    if (step.kind !== 'question') this.working = undefined;
    return step;
  }

  private async begin(): Promise<BundleStep> {
    const opened = await this.open(this);
    if (!opened.ok) return { kind: 'refused', refusal: opened.error };
    if (opened.value === undefined) return { kind: 'unknown' };
    this.exported = opened.value;
    return { kind: 'begun', unsealed: opened.value.unsealed };
  }

  private async next({ pieces }: BundleExport): Promise<BundleStep> {
    let text = '';
    while (text.length < PIECE_CHARS) {
      const { value, done } = await pieces.next();
      if (done === true) return text === '' ? { kind: 'end' } : { kind: 'piece', text };
      text += value;
    }
    return { kind: 'piece', text };
  }
}

/** A bundle may turn out to be too large, or damaged, while it is written. */
function stopped(error: unknown): BundleStep {
  if (!(error instanceof ExportStopped)) throw error;
  return { kind: 'refused', refusal: error.refusal };
}
