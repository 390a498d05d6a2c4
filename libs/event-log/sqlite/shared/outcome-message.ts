import type { AppendOutcome, Violation } from '../../port.js';
import { Packer, Unpacker, type Packed } from './packing.js';

/** The writer's answer to a group: one outcome for each batch, in order. */
export type Outcomes = Packed;

const KINDS = ['committed', 'refused', 'unwritten', 'unknown'] as const satisfies readonly AppendOutcome['kind'][];

export function encodeOutcomes(outcomes: readonly AppendOutcome[]): Outcomes {
  const output = new Packer();
  output.number(outcomes.length);
  for (const outcome of outcomes) {
    output.number(KINDS.indexOf(outcome.kind));
    switch (outcome.kind) {
      case 'committed':
        output.number(Number(outcome.position));
        break;
      case 'refused':
        output.number(outcome.violations.length);
        for (const { stream, expected, actual } of outcome.violations) {
          output.text(stream);
          output.number(expected);
          output.number(actual);
        }
        break;
      case 'unwritten':
      case 'unknown':
        output.text(outcome.cause);
    }
  }
  return output.packed();
}

export function decodeOutcomes(outcomes: Outcomes): AppendOutcome[] {
  const input = new Unpacker(outcomes);
  const violation = (): Violation => ({ stream: input.text(), expected: input.number(), actual: input.number() });
  return input.list((): AppendOutcome => {
    const kind = KINDS[input.number()];
    if (kind === 'committed') return { kind, position: BigInt(input.number()) };
    if (kind === 'refused') return { kind, violations: input.list(violation) };
    return { kind: kind === 'unwritten' ? kind : 'unknown', cause: input.text() };
  });
}
