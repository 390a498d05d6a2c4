import type { Digest } from '../kernel/digest.js';

/**
 * - `sound`: everything was checked, and all of it agrees.
 * - `not_sound`: something is false, missing, or was put in.
 * - `partly`: what is there agrees, but content is missing that was shredded or left out, or a key or an engine is, or a
 *   verdict on a response rests on something that is not recorded.
 */
export type Soundness = 'sound' | 'not_sound' | 'partly';

/** Something that is false, and its place in the bundle or in the log. */
export interface Fault {
  readonly where: string;
  readonly what: string;
}

/** A call that was decided again. */
export interface VerifiedCall {
  readonly place: string;
  readonly callId: string;
  readonly attempt: number;
  readonly decision: string;
  readonly reason: string;
  readonly digest: Digest;
  readonly identical: boolean | 'shredded' | 'key_missing' | 'engine_gone';
}

/** The result of a verification. */
export interface Verdict {
  readonly soundness: Soundness;
  readonly traceId: string | undefined;
  /** The first is the reason of the verdict. At most `MAX_FAULTS`. */
  readonly faults: readonly Fault[];
  /** The reasons for `partly`. */
  readonly gaps: readonly string[];
  /** Questions that no bundle answers. */
  readonly limits: readonly string[];
  /** The checks that were made, in plain words. */
  readonly checked: readonly string[];
  readonly calls: readonly VerifiedCall[];
}

/** The program failed. That says nothing about the bundle. The message is one line, and quotes nothing of it. */
export class CannotVerify extends Error {
  override readonly name = 'CannotVerify';
}

/** Questions that no bundle answers. */
const LIMITS: readonly string[] = [
  'whether anything was recorded after the checkpoint, and whether a host told the truth about what it did',
];

/** Faults that are kept: one of them is enough. */
export const MAX_FAULTS = 20;

/** Collects what a verification finds. */
export class Findings {
  readonly faults: Fault[] = [];
  readonly gaps: string[] = [];
  readonly checked: string[] = [];
  readonly calls: VerifiedCall[] = [];
  readonly limits: string[] = [];

  fault(where: string, what: string): undefined {
    if (this.faults.length < MAX_FAULTS) this.faults.push({ where, what });
    return undefined;
  }

  gap(text: string): void {
    if (!this.gaps.includes(text)) this.gaps.push(text);
  }

  get isSound(): boolean {
    return this.faults.length === 0;
  }

  verdict(traceId: string | undefined): Verdict {
    const { faults, gaps, checked, calls, limits } = this;
    const soundness = faults.length > 0 ? 'not_sound' : gaps.length > 0 ? 'partly' : 'sound';
    return { soundness, traceId, faults, gaps, limits: [...limits, ...LIMITS], checked, calls };
  }
}
