import { z } from 'zod';
import { DIGEST_PATTERN } from '../../kernel/digest.js';
import { Level } from '../../vocabulary/words.js';

/** The shape of the data of a pack. A pack is trusted: it is a part of the product. The texts that it searches are not. */

const Name = z.string().regex(/^[a-z][a-z0-9_]*$/);

/** Lower-case ASCII. Keywords and context words are found in text of any case. */
const Word = z.string().regex(/^[ -@[-~]+$/);

/**
 * One format. `pattern` is RE2 syntax without anchors, and runs at the place that `at` names and nowhere else. If it has a
 * group, the group ends where the match ends, and is the span.
 */
export const Rule = z.strictObject({
  kind: Name,
  level: Level,
  /**
   * `keyword`: at each keyword. `after`: behind each keyword. `number`: at the first digit of a run. `word`: at the first
   * letter of a run. `run`: at both.
   */
  at: z.enum(['keyword', 'after', 'number', 'word', 'run']),
  keywords: z.array(Word).min(1).optional(),
  /** Characters before that place that belong to the match, and how many of them at most. */
  back: z.strictObject({ of: z.string(), max: z.int().positive() }).optional(),
  pattern: z.string().min(1),
  /** The match may follow an alphanumeric character. Names such as `dbPassword` need it. */
  loose: z.literal(true).optional(),
  /** The match must not follow `_` or `-` either, and goes on to the end of the run. Long formats need it: no run is read twice. */
  whole: z.literal(true).optional(),
  /** The match must not be followed by an alphanumeric character. */
  exact: z.literal(true).optional(),
  /** Least Shannon entropy of the span, in bits per character. */
  entropy: z.number().positive().optional(),
  /** A check in code, by its name in `checks.ts`. */
  check: Name.optional(),
  /** A list of context words: one of them has to be near. */
  near: Name.optional(),
  /** A list of context words: none of them may be directly before. */
  unless: Name.optional(),
});
export type Rule = z.infer<typeof Rule>;

/** A field whose whole value is a span, by the last words of the field's name. */
const FieldRule = z.strictObject({ kind: Name, level: Level, names: z.array(Name).min(1), check: Name });
export type FieldRule = z.infer<typeof FieldRule>;

/** One data file of a pack. `prefix` is the first part of its types. */
export const RuleFile = z.strictObject({
  prefix: z.enum(['secret', 'pii']),
  /** Fragments of patterns, written `${name}` in a pattern. */
  fragments: z.record(Name, z.string()),
  contexts: z.record(Name, z.array(Word).min(1)),
  /** Formats that only look like numbers. No rule that begins with a digit or a letter runs inside of them. */
  guards: z.array(z.string()),
  rules: z.array(Rule).min(1),
  fields: z.array(FieldRule),
});
export type RuleFile = z.infer<typeof RuleFile>;

/** The parts of a pack: its files by name with their digests, and the exact version of each library that it calls. */
export const PackManifest = z.strictObject({
  number: z.int().positive(),
  files: z.record(Name, z.string().regex(DIGEST_PATTERN)),
  libraries: z.record(z.string(), z.string()),
});
export type PackManifest = z.infer<typeof PackManifest>;
