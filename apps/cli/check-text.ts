import type { Json } from '../../libs/kernel/canonical-json.js';
import { at, dig, list, printable } from './print.js';

/** The checks of a decision: those that passed, and the failed one with its evidence. */
export function checkLines(decision: Json): string[] {
  return list(decision, 'checks').map((check) => {
    const evidence = dig(check, 'evidence');
    const told = evidence === undefined ? '' : ` ${JSON.stringify(evidence)}`;
    return printable(`  ${at(check, 'outcome').padEnd(7)} ${at(check, 'check')}${told}`, 600);
  });
}
