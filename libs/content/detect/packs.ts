import { readdirSync, readFileSync } from 'node:fs';
import type { Json } from '../../kernel/canonical-json.js';
import { digestOf, type Digest } from '../../kernel/digest.js';
import { atOnce, mapInSteps, type Steps } from '../../kernel/steps.js';
import type { Level } from '../../vocabulary/words.js';
import { detectorInSteps, type DetectOptions } from './detector.js';
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
  /** Whether the name of a field says that its value is a secret. */
  isSecretField(field: string): boolean;
}

/** The files of a pack, by their names in its manifest. */
interface PackData {
  readonly manifest: unknown;
  readonly files: Readonly<Record<string, unknown>>;
}

/** Every pack that was ever released, in a folder for each, which its number names. The build copies them. */
const FOLDER = new URL('../packs/', import.meta.url);
const RELEASED = readdirSync(FOLDER)
  .map(Number)
  .toSorted((one, other) => one - other);

/** The pack of new decisions: the newest one. */
export const CURRENT_PACK = RELEASED.at(-1) ?? 0;

/** Made when first asked for: an old pack costs nothing until a replay needs it. */
const made = new Map<number, Pack>();
const numbers = new Map(RELEASED.map((number) => [digestOf(readFileOf(number, 'pack')), number]));

/** The pack with a number or a digest, if it was ever released. */
export function packOf(name: number | string): Pack | undefined {
  const number = typeof name === 'number' ? name : numbers.get(name as Digest);
  if (number === undefined || !RELEASED.includes(number)) return undefined;
  return atOnce(packInSteps(number));
}

/** The same for the newest pack, in steps of some milliseconds. */
export const currentPackInSteps = (): Steps<Pack> => packInSteps(CURRENT_PACK);

function* packInSteps(number: number): Steps<Pack> {
  const known = made.get(number);
  if (known !== undefined) return known;
  const ready = yield* madeInSteps(readPack(number));
  // A search may have made it between the steps.
  const pack = made.get(number) ?? ready;
  made.set(number, pack);
  return pack;
}

const readPack = (number: number): PackData => ({
  manifest: readFileOf(number, 'pack'),
  files: { secrets: readFileOf(number, 'secrets'), pii: readFileOf(number, 'pii') },
});

function readFileOf(number: number, name: string): Json {
  return JSON.parse(readFileSync(new URL(`${number}/${name}.json`, FOLDER), 'utf8')) as Json;
}

/** Throws if a file is not the one that the manifest names. */
export const madeFrom = (data: PackData): Pack => atOnce(madeInSteps(data));

function* madeInSteps({ manifest, files }: PackData): Steps<Pack> {
  const { number, files: digests } = PackManifest.parse(manifest);
  for (const [name, digest] of Object.entries(digests)) {
    yield;
    if (digestOf(files[name]) !== digest) throw new Error(`the file ${name} of pack ${number} was changed`);
  }
  const parsed = yield* mapInSteps([files['secrets'], files['pii']], 1, (file) => RuleFile.parse(file));
  const detector = yield* detectorInSteps(parsed);
  return { digest: digestOf(manifest), number, ...detector };
}
