import { instructionRules } from './detect.js';
import type { InstructionRules } from './finding.js';
import { readPack } from './pack.js';

const CURRENT = 1;
let current: InstructionRules | undefined;

/** The detector of the current pack. */
export const currentInstructionRules = (): InstructionRules => (current ??= instructionRules(readPack(CURRENT)));
