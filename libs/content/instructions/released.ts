import { instructionRules } from './detect.js';
import type { InstructionRules } from './finding.js';
import { readPack } from './pack.js';

/** The newest pack. A pack never changes once it is released, and all of them stay: a decision names its digest. */
const CURRENT = 1;
const made = new Map<number, InstructionRules>();

/** The detector of a pack, by default of the newest one. It is made when it is first asked for: some 20 ms. */
export function instructionRulesOf(number = CURRENT): InstructionRules {
  const known = made.get(number) ?? instructionRules(readPack(number));
  made.set(number, known);
  return known;
}

/** The number of the released pack with a digest. */
export function instructionPackOf(digest: string): number | undefined {
  for (let number = CURRENT; number > 0; number -= 1) if (instructionRulesOf(number).digest === digest) return number;
  return undefined;
}
