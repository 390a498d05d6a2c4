import { existsSync, readFileSync } from 'node:fs';
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

const NAMES = ['benign', 'injection', 'extra-pii'] as const;
export type CorpusName = (typeof NAMES)[number];

/** The corpora are next to the project and no part of it; `SALLYPORT_CORPORA` names another folder. */
export function readCorpus(name: CorpusName): readonly CorpusRow[] {
  const text = readFileSync(fileOf(name), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as CorpusRow);
}

const folderOf = (): string => process.env['SALLYPORT_CORPORA'] ?? join(projectRoot, '..', 'shared', 'corpora');

const fileOf = (name: CorpusName): string => join(folderOf(), `${name}.public.jsonl`);

/** The files that are not there, and how to name their folder, in one line; undefined if all are there. */
export function missingCorpora(): string | undefined {
  const missing = NAMES.filter((name) => !existsSync(fileOf(name))).map((name) => `${name}.public.jsonl`);
  if (missing.length === 0) return undefined;
  return `${folderOf()} lacks ${missing.join(', ')}: put them there, or name their folder in SALLYPORT_CORPORA`;
}
