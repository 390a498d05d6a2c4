import { atOnce, type Steps } from '../../kernel/steps.js';
import { instructionRulesInSteps } from './detect.js';
import type { InstructionRules } from './finding.js';
import { readPack } from './pack.js';

/** The newest pack. A pack never changes once it is released, and all of them stay: a decision names its digest. */
const CURRENT = 1;
const made = new Map<number, InstructionRules>();

/** Made when it is first asked for, or in steps before. */
const rulesOfPack = (number: number): InstructionRules => made.get(number) ?? atOnce(rulesInSteps(number));

function* rulesInSteps(number: number): Steps<InstructionRules> {
  const known = made.get(number);
  if (known !== undefined) return known;
  const ready = yield* instructionRulesInSteps(readPack(number));
  // A search may have made it between the steps.
  const rules = made.get(number) ?? ready;
  made.set(number, rules);
  return rules;
}

/** The detector of the newest pack. */
export const currentInstructionRules = (): InstructionRules => rulesOfPack(CURRENT);

/** The same, in steps of some milliseconds. */
export const currentInstructionRulesInSteps = (): Steps<InstructionRules> => rulesInSteps(CURRENT);

/** The detector with a digest, if its pack was ever released. */
export function instructionRulesOf(digest: string): InstructionRules | undefined {
  for (let number = CURRENT; number > 0; number -= 1)
    if (rulesOfPack(number).digest === digest) return rulesOfPack(number);
  return undefined;
}
