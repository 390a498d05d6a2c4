import { readFileSync } from 'node:fs';
import { digestOfBytes, type Digest } from '../../kernel/digest.js';
import type { InstructionKind, Severity } from './finding.js';
import type { PhraseRule } from './phrases.js';

/** Words of each set that occur near each other in a text without spaces between words. */
export interface UnspacedRule {
  readonly id: string;
  readonly kind: InstructionKind;
  readonly severity: Severity;
  readonly all: readonly (readonly string[])[];
  /** UTF-16 units in which they all occur. */
  readonly within: number;
}

/** The data of the detector: `libs/content/packs/<number>/instructions.json`. */
export interface InstructionPack {
  readonly format: 1;
  readonly lists: Readonly<Record<string, string>>;
  readonly rules: readonly PhraseRule[];
  readonly unspaced: readonly UnspacedRule[];
  readonly commonWords: string;
  readonly commentVerbs: string;
  readonly mention: { readonly cues: string; readonly subjects: string };
}

/** A pack and the digest of the bytes it was read from. */
export interface ReadPack {
  readonly pack: InstructionPack;
  readonly digest: Digest;
}

/** The pack of a number, from the folder next to the compiled code. */
export function readPack(number: number): ReadPack {
  const bytes = readFileSync(new URL(`../packs/${number}/instructions.json`, import.meta.url));
  return { pack: JSON.parse(bytes.toString('utf8')) as InstructionPack, digest: digestOfBytes(bytes) };
}
