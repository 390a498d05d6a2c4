import { isDeepStrictEqual, styleText } from 'node:util';
import { printable, visible } from '../print.js';
import type { World } from '../world.js';
import { DemoFailure } from './stage.js';

/** Tells the story, and stops at the first claim that is false. */
export interface Teller {
  readonly act: (title: string) => void;
  readonly tell: (line: string) => void;
  /** A line of an envelope, as an agent receives it. */
  readonly quote: (line: string) => void;
  /** Compares a claim's actual value with the expected one. Throws `DemoFailure`. */
  readonly expect: (claim: string, seen: unknown, wanted: unknown) => void;
}

export function tellTo(world: World): Teller {
  let acts = 0;
  return {
    act: (title) => {
      acts += 1;
      world.out(`\n${styleText('bold', `${acts}. ${title}`)}\n`);
    },
    tell: (line) => world.out(`   ${printable(line, 1000)}\n`),
    quote: (line) => world.out(`       ${visible(line, 1000)}\n`),
    expect: (claim, seen, wanted) => {
      if (!isDeepStrictEqual(seen, wanted)) {
        throw new DemoFailure(`${claim}? No: ${JSON.stringify(seen)} instead of ${JSON.stringify(wanted)}`);
      }
      world.out(`   ${styleText('green', '✓')} ${printable(claim)}\n`);
    },
  };
}
