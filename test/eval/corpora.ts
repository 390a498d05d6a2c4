import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/root.js';

/** A row of a corpus. The part of `id` before the first `/` is its family. */
export interface CorpusRow {
  readonly id: string;
  readonly label: string;
  readonly text: string;
  /** Start, end and type of labelled personal data. */
  readonly spans?: readonly (readonly [start: number, end: number, type: string])[];
}

export type CorpusName = 'benign' | 'injection' | 'extra-pii';

/** The corpora are next to the project and no part of it; `SALLYPORT_CORPORA` names another folder. */
export function readCorpus(name: CorpusName): readonly CorpusRow[] {
  const folder = process.env['SALLYPORT_CORPORA'] ?? join(projectRoot, '..', 'shared', 'corpora');
  const text = readFileSync(join(folder, `${name}.public.jsonl`), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as CorpusRow);
}
