import { digestOf, type Digest } from '../../kernel/digest.js';
import type { Level } from '../../vocabulary/words.js';
import manifest1 from '../packs/1/pack.json' with { type: 'json' };
import pii1 from '../packs/1/pii.json' with { type: 'json' };
import secrets1 from '../packs/1/secrets.json' with { type: 'json' };
import { detectorOf, type DetectOptions } from './detector.js';
import { PackManifest, RuleFile } from './rules.js';
import type { DetectedSpan } from './spans.js';

/** The rules by which a text is searched. A pack never changes once it is released: a decision names its digest. */
export interface Pack {
  /** `sha256:` of the canonical JSON of the pack's manifest, which has the digest of each data file. */
  readonly digest: Digest;
  readonly number: number;
  /** Sorted spans that do not overlap. A text with all of them redacted is clean. Time is linear in the text's length. */
  detect(text: string, options?: DetectOptions): readonly DetectedSpan[];
  /** The level of a type that the pack can find. */
  levelOf(type: string): Level | undefined;
}

/** The files of a pack, by their names in its manifest. */
interface PackData {
  readonly manifest: unknown;
  readonly files: Readonly<Record<string, unknown>>;
}

/** Every pack that was ever released. */
const RELEASED: readonly PackData[] = [{ manifest: manifest1, files: { secrets: secrets1, pii: pii1 } }];

export const CURRENT_PACK = 1;

/** Made when first asked for: an old pack costs nothing until a replay needs it. */
const made = new Map<number, Pack>();
const numbers = new Map(RELEASED.map(({ manifest }, index) => [digestOf(manifest), index + 1]));

/** The pack with a number or a digest, if it was ever released. */
export function packOf(name: number | string): Pack | undefined {
  const number = typeof name === 'number' ? name : numbers.get(name as Digest);
  const data = number === undefined ? undefined : RELEASED[number - 1];
  if (number === undefined || data === undefined) return undefined;
  const known = made.get(number) ?? madeFrom(data);
  made.set(number, known);
  return known;
}

/** Throws if a file is not the one that the manifest names. */
export function madeFrom({ manifest, files }: PackData): Pack {
  const { number, files: digests } = PackManifest.parse(manifest);
  for (const [name, digest] of Object.entries(digests)) {
    if (digestOf(files[name]) !== digest) throw new Error(`the file ${name} of pack ${number} was changed`);
  }
  const detector = detectorOf([files['secrets'], files['pii']].map((file) => RuleFile.parse(file)));
  return { digest: digestOf(manifest), number, detect: detector.detect, levelOf: detector.levelOf };
}
