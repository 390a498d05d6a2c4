import { readFileSync } from 'node:fs';
import { digestOf, digestOfBytes, type Digest } from '../../kernel/digest.js';
import type { InstructionKind, Severity } from './finding.js';
import type { FrameRule } from './frames.js';
import type { ModelCard } from './model.js';
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
  /** Lists for patterns only: their words are none that the model knows, and no cipher is looked for with them. */
  readonly sets: Readonly<Record<string, string>>;
  readonly rules: readonly PhraseRule[];
  /** Words of frames by class: words, stems with `*`, phrases with `+` between their words. */
  readonly classes: Readonly<Record<string, string>>;
  readonly frames: readonly FrameRule[];
  readonly unspaced: readonly UnspacedRule[];
  readonly commonWords: string;
  readonly commentVerbs: string;
  readonly elementVerbs: string;
  readonly things: string;
  readonly mildVerbs: string;
  readonly strongVerbs: string;
  readonly forPeople: string;
  readonly descriptive: string;
  readonly startsAnywhere: string;
  readonly continues: string;
  readonly nominal: string;
  readonly mention: { readonly cues: string; readonly subjects: string; readonly themes: string };
}

/** A pack and the digest of all of its bytes. */
export interface ReadPack {
  readonly pack: InstructionPack;
  readonly card: ModelCard;
  /** The weights of the model, one signed byte each. */
  readonly weights: Int8Array;
  readonly digest: Digest;
}

/** The pack of a number, from the folder next to the compiled code. */
export function readPack(number: number): ReadPack {
  const [rules, card, weights] = ['instructions.json', 'model.json', 'model.bin'].map((name) =>
    readFileSync(new URL(`../packs/${number}/${name}`, import.meta.url)),
  ) as [Buffer, Buffer, Buffer];
  return {
    pack: JSON.parse(rules.toString('utf8')) as InstructionPack,
    card: JSON.parse(card.toString('utf8')) as ModelCard,
    weights: new Int8Array(weights.buffer, weights.byteOffset, weights.length),
    digest: digestOf([rules, card, weights].map((bytes) => digestOfBytes(bytes))),
  };
}
