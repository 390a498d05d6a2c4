import type { NoteVerifier } from '../transparency/note.js';
import { Damage } from '../audit/soundness.js';
import { checkCheckpoint } from './checkpoint.js';
import { checkContent, checkDocuments } from './content.js';
import { checkDecisions } from './decisions.js';
import { checkInclusion, checkNodes, readEvents } from './events.js';
import { readBundle, type Bundle } from '../contract/bundle-format.js';
import { checkStreams, type BundledStreams } from './streams.js';
import type { SoundBundle } from './trace.js';
import { checkWitness, type Witness } from './witnessed.js';
import { CannotVerify, Findings, type Verdict } from './verdict.js';

export interface VerifyOptions {
  /** The keys that the reader trusts. Without one, the verdict is at most `partly`. */
  readonly keys: readonly NoteVerifier[];
  /** Checkpoints that the reader trusts. Without them, nothing is said about other histories of the same key. */
  readonly witness?: Witness;
}

/**
 * Verifies a bundle without network or disk. Attacker-controlled input: every member is checked against sealed events,
 * and a bundle that has anything false, missing or put in is not sound. Decisions are made again only if all else agrees.
 * Throws `CannotVerify` for an error of the program.
 */
export async function verifyBundle(text: string, options: VerifyOptions): Promise<Verdict> {
  return (await openBundle(text, options)).verdict;
}

/** The same, with the content of the bundle if it has no fault. */
export async function openBundle(
  text: string,
  options: VerifyOptions,
): Promise<{ readonly verdict: Verdict; readonly sound?: SoundBundle }> {
  const findings = new Findings();
  const read = readBundle(text);
  if (!read.ok) {
    findings.fault('the file', read.error);
    return { verdict: findings.verdict(undefined) };
  }
  const bundle = read.value;
  let streams: BundledStreams | undefined;
  try {
    streams = await verify(bundle, options, findings);
  } catch (error) {
    // A log that somebody made with a key of their own may hold anything. Faults that were found before it stay.
    if (error instanceof Damage) findings.fault('the bundle', error.message);
    else if (findings.isSound)
      throw new CannotVerify(`the program failed (${error instanceof Error ? error.name : 'unknown error'})`);
  }
  const verdict = findings.verdict(bundle.traceId);
  return findings.isSound && streams !== undefined ? { verdict, sound: { bundle, streams } } : { verdict };
}

async function verify(
  bundle: Bundle,
  { keys, witness }: VerifyOptions,
  findings: Findings,
): Promise<BundledStreams | undefined> {
  const signed = checkCheckpoint(bundle, keys, findings);
  if (signed === undefined) return undefined;
  const { checkpoint, logKey } = signed;
  if (witness !== undefined) checkWitness(checkpoint, logKey, witness, findings);
  const events = readEvents(bundle, findings);
  if (events === undefined) return undefined;
  const used = checkInclusion(bundle, events, checkpoint, findings);
  if (!findings.isSound) return undefined;
  const streams = checkStreams(bundle, events, findings);
  if (streams === undefined) return undefined;
  checkNodes(bundle, used, findings);
  checkDocuments(bundle, streams, findings);
  checkContent(bundle, streams, findings);
  if (findings.isSound) await checkDecisions(bundle, streams, findings);
  return streams;
}
