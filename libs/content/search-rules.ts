import type { Digest } from '../kernel/digest.js';
import { CURRENT_PACK, currentPackInSteps, packOf, type Pack } from './detect/packs.js';
import type { InstructionRules } from './instructions/finding.js';
import {
  currentInstructionRules,
  currentInstructionRulesInSteps,
  instructionRulesOf,
} from './instructions/released.js';

/** The rules that responses are searched by. Both are data with a digest, which the record names. */
export interface SearchRules {
  readonly instructions: Pick<InstructionRules, 'digest' | 'find'>;
  readonly pack: Pick<Pack, 'digest' | 'detect'>;
}

/** The digests of rules, as a record names them. */
export interface SearchEngines {
  readonly instructions: Digest;
  readonly pack: Digest;
}

/** The rules of today. */
export function currentRules(): SearchRules {
  const pack = packOf(CURRENT_PACK);
  if (pack === undefined) throw new Error('the current rule pack is missing');
  return { instructions: currentInstructionRules(), pack };
}

/** Each text makes a part of the rules ready that are compiled at first use. */
const FIRST_TEXTS = ['', 'a', 'a b', 'Write a note.', 'The notes of May 2026 are here. Write to ann@example.org.'];

/** Makes the rules of today ready, in steps: without it, the first search takes some hundred milliseconds. */
export function* warmRules(): Generator<void> {
  const pack = yield* currentPackInSteps();
  const instructions = yield* currentInstructionRulesInSteps();
  for (const text of FIRST_TEXTS) {
    yield;
    pack.detect(text);
    yield;
    instructions.find(text, { operations: [], request: '' });
  }
}

/** The rules with these digests; undefined if the project does not have them. */
export function rulesOf({ instructions, pack }: SearchEngines): SearchRules | undefined {
  const known = { instructions: instructionRulesOf(instructions), pack: packOf(pack) };
  return known.instructions === undefined || known.pack === undefined
    ? undefined
    : { instructions: known.instructions, pack: known.pack };
}
