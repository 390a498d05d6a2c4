import type { Multiples } from '../../content/schema/schema-compiler.js';
import type { Nulls } from '../../policy/cedar.js';
import { decide, type Decide } from '../decide.js';
import { decideByV1 } from './v1.js';
import { decideByV2 } from './v2.js';
import { decideByV3 } from './v3.js';

/** Behaviour of the engines that a decider's rules require. */
export interface EngineRules {
  /** Whether an argument that repeats the name in the operation must be equal to it. */
  readonly namedThings: 'compared' | 'ignored';
  /** Whether a policy sees the nulls of arguments and user attributes. */
  readonly nulls: Nulls;
  /** Whether a schema's `multipleOf` divides decimal digits or doubles. */
  readonly multiples: Multiples;
  /** Whether errors of arguments name members that the schema lacks and that may be content. */
  readonly ownNames: 'shown' | 'hidden';
}

/** One version of the rules: `engines.decider` of a record names it. */
export interface DeciderVersion {
  readonly decide: Decide;
  readonly engineRules: EngineRules;
}

/**
 * Every version of the rules that has ever decided a call. Old versions are frozen: a record is always decided again by
 * its own version. To change the decision for the same inputs, move the current rules to their own file next to
 * `v1.ts`. Copy each check that changes into it, then add the next number here. `test/golden/deciders` holds the
 * decisions of each version. The meaning of a schema's `pattern` is not versioned.
 */
export const deciders: Readonly<Record<number, DeciderVersion>> = {
  1: {
    decide: decideByV1,
    engineRules: { namedThings: 'ignored', nulls: 'hidden', multiples: 'doubles', ownNames: 'shown' },
  },
  2: {
    decide: decideByV2,
    engineRules: { namedThings: 'compared', nulls: 'shown', multiples: 'digits', ownNames: 'shown' },
  },
  3: {
    decide: decideByV3,
    engineRules: { namedThings: 'compared', nulls: 'shown', multiples: 'digits', ownNames: 'hidden' },
  },
  4: { decide, engineRules: { namedThings: 'compared', nulls: 'shown', multiples: 'digits', ownNames: 'hidden' } },
};

/** The version that decides new calls. */
export const CURRENT_DECIDER = 4;

/** Whether a record can name this decider: every number from 1 on, because the registry has all up to the current one. */
export const canHaveDecided = (decider: number): boolean =>
  deciders[decider] !== undefined || (Number.isInteger(decider) && decider > CURRENT_DECIDER);
