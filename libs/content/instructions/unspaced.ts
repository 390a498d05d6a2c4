import type { InstructionKind, Severity } from './finding.js';
import type { UnspacedRule } from './pack.js';

interface UnspacedHit {
  readonly detector: string;
  readonly kind: InstructionKind;
  readonly severity: Severity;
  readonly from: number;
  readonly to: number;
}

const ASCII = /^[\0-\x7f]*$/;
const MAX_ANCHORS = 4096;

/** Occurrences of rules for scripts without spaces between words: a word of the first set, the others near it. */
export function unspacedHits(text: string, rules: readonly UnspacedRule[]): UnspacedHit[] {
  if (ASCII.test(text)) return [];
  const hits: UnspacedHit[] = [];
  for (const { id, kind, severity, all, within } of rules) {
    const [anchors = [], ...others] = all;
    let count = 0;
    for (const anchor of anchors) {
      for (
        let at = text.indexOf(anchor);
        at >= 0 && count < MAX_ANCHORS;
        at = text.indexOf(anchor, at + anchor.length)
      ) {
        count += 1;
        const from = Math.max(0, at - within);
        const nearby: string = text.slice(from, at + within);
        if (others.every((words) => words.some((word) => nearby.indexOf(word) >= 0)))
          hits.push({ detector: id, kind, severity, from: at, to: Math.min(text.length, at + within) });
      }
    }
  }
  return hits;
}
