import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../support/root.js';

/** A text of our own and its style. */
export interface OwnText {
  readonly style: string;
  readonly text: string;
}

const FILES = ['attacks', 'benign', 'quotes', 'fresh-attacks', 'fresh-benign', 'vectors'] as const;

/** Our own texts, by file: `test/eval/own`. The style of a vector is its rule. */
export function ownTexts(): Record<(typeof FILES)[number], OwnText[]> {
  const read = (name: string): OwnText[] =>
    Object.entries(
      JSON.parse(readFileSync(join(projectRoot, `test/eval/own/${name}.json`), 'utf8')) as Record<string, string[]>,
    ).flatMap(([style, texts]) => texts.map((text) => ({ style, text })));
  return Object.fromEntries(FILES.map((name) => [name, read(name)])) as Record<(typeof FILES)[number], OwnText[]>;
}
