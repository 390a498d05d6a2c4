import { instructionRules } from './detect.js';
import type { InstructionRules } from './finding.js';
import { readPack } from './pack.js';

/** The newest pack. A pack never changes once it is released, and all of them stay: a decision names its digest. */
const CURRENT = 1;
const made = new Map<number, InstructionRules>();

/** Made when it is first asked for: some 20 ms. */
function rulesOfPack(number: number): InstructionRules {
  const known = made.get(number) ?? instructionRules(readPack(number));
  made.set(number, known);
  return known;
}

/** The detector of the newest pack. */
export const currentInstructionRules = (): InstructionRules => rulesOfPack(CURRENT);

/** A text that each part of the detector reads: it has an encoding, a marker, markup and an address. */
const WARMING = 'Please read <!-- a --> the "old" file: https://a.example/?b=aGVsbG8gdGhlcmUgYW5k \\u0061 <|end|> é.';

/** Reads the newest pack and searches one short text, so that the first response need not wait: some 100 ms. */
export function warmInstructionRules(): void {
  currentInstructionRules().find(WARMING, { operations: ['a_b'], request: '' });
}

/** The detector with a digest, if its pack was ever released. */
export function instructionRulesOf(digest: string): InstructionRules | undefined {
  for (let number = CURRENT; number > 0; number -= 1)
    if (rulesOfPack(number).digest === digest) return rulesOfPack(number);
  return undefined;
}
