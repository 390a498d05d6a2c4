import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../support/root.js';
import { digestOfBytes, type Digest } from '../../../libs/kernel/digest.js';

/** A row of `injection.public.jsonl` or `benign.public.jsonl`. */
export interface Row {
  readonly id: string;
  readonly label: 'injection' | 'benign';
  readonly channel: string;
  readonly text: string;
}

/** Texts are read from next to the project: they are data of others, and no part of it. */
export const CORPORA = process.env['SALLYPORT_CORPORA'] ?? join(projectRoot, '..', 'shared', 'corpora');

export interface Corpus {
  readonly rows: readonly Row[];
  /** Of the files that it was read from. */
  readonly digest: Digest;
}

export function readCorpus(folder = CORPORA): Corpus {
  const files = ['injection.public.jsonl', 'benign.public.jsonl'].map((name) => readFileSync(join(folder, name)));
  const rows = files.flatMap((file) =>
    file
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Row),
  );
  return { rows, digest: digestOfBytes(Buffer.concat(files)) };
}

/** The part of an id before the first `/`. */
export const familyOf = (row: Row): string => row.id.split('/')[0] ?? '';

/** Families that share their texts: `notinject-in-email` holds texts of `notinject`. They are split together. */
export const groupOf = (row: Row): string => familyOf(row).replace(/-in-.*/, '');

/** Rules were written with the texts of the other half in view; nobody looked at the texts of these families. */
export const isHeldOut = (row: Row): boolean =>
  parseInt(digestOfBytes(`sallyport instructions split:${groupOf(row)}`).slice(7, 15), 16) % 2 === 1;

/** Harmless texts that quote attacks, or are written like them: documents and fixtures of security. */
const QUOTING =
  /^security-docs|^agt\/(?:quoted|research|benign_security|security|owasp|detector|benign_obfuscation|benign_compact)/;

export const quotesAttacks = (row: Row): boolean => QUOTING.test(row.id);

export type Tier = 'S' | 'A' | 'B' | 'C';

const PLAIN = /-(?:plain|multilingual)\//;

/** The tier of an injection, after the README of the corpora. */
export function tierOf(row: Row): Tier {
  const [family = '', style = ''] = row.id.split('/');
  if (family === 'smuggle') return 'S';
  if (family === 'agt') return PLAIN.test(`-${row.id}`) && !style.includes('compact') ? 'A' : 'S';
  if (family === 'garak') return 'A';
  if (family === 'agentdojo') return style === 'direct' ? 'B' : 'A';
  if (family.startsWith('injecagent')) return style === 'enhanced' ? 'A' : 'C';
  if (family.startsWith('asb')) return style === 'ignore' ? 'A' : style === 'bare' ? 'C' : 'B';
  if (family.startsWith('cyberseceval')) return 'B';
  return STEERING.has(style) ? 'B' : 'C';
}

/** Attacks of BIPIA that steer the answer; the others are bare requests. */
const STEERING = new Set([
  'instruction',
  'persuasion',
  'social-interaction',
  'alphanumeric-substitution',
  'misspelling-intentionally',
  'malware-distribution',
  'anagramming',
  'clickbait',
  'homophonic-substitution',
  'space-removal-grouping',
]);
