import { canonicalJson } from '../kernel/canonical-json.js';
import { digestOfBytes } from '../kernel/digest.js';
import type { JsonPointer } from '../kernel/pointer.js';
import { err, ok, type Result } from '../kernel/result.js';
import { boundedPointer } from './bounded-pointer.js';
import { quoteText } from './invisible.js';
import { partsOf, type Response } from './parts.js';
import type { ContentSource, Envelope, Finding, Part } from './shapes.js';

const BOUNDARY = /^[0-9a-f]{32}$/;
const MAX_SEEDS = 4;
const MAX_LABEL_LENGTH = 200;

export interface EnvelopeInput extends Response {
  readonly source: ContentSource;
  /** 128 fresh random bits as 32 lower-case hex digits: called once for each try. */
  readonly boundarySeed: () => string;
}

/**
 * Puts a response into an envelope: source label, parts as quoted evidence (`partsOf` says which), and a digest over
 * all of it. Text is between two boundary lines that it cannot contain: the boundary is random, and one that occurs
 * anywhere in the content, including keys, data and labels, is discarded. Never throws. `text` is the envelope's RFC
 * 8785 form: each part of it is canonicalised once. Fails with a finding of kind `no_response`, `key_collision`,
 * `too_deep`, `boundary` (no fresh boundary was found) or `exception`.
 */
export function buildEnvelope(input: EnvelopeInput): Result<{ envelope: Envelope; text: string }, Finding> {
  try {
    if ((input.result === undefined) === (input.error === undefined)) return err(finding('no_response'));
    const parts = partsOf(input);
    if (!parts.ok) return err(finding(parts.error.kind, parts.error.path));
    const source = labelled(input.source);
    // The position among the other members does not matter here, so they need no order.
    const boundary = freshBoundary(JSON.stringify([source, parts.value]), input.boundarySeed);
    if (boundary === undefined) return err(finding('boundary'));
    const envelope = {
      integrity: 'untrusted' as const,
      source,
      boundary,
      parts: parts.value.map((part) => between(part, boundary, source)),
    };
    const members = new Map(Object.entries(envelope).map(([name, value]) => [name, canonicalJson(value)]));
    const digest = digestOfBytes(objectOf(members));
    return ok({ envelope: { ...envelope, digest }, text: objectOf(members.set('digest', canonicalJson(digest))) });
  } catch {
    return err(finding('exception'));
  }
}

/** An object in RFC 8785 form, of members in that form. Their names are ours. */
const objectOf = (members: ReadonlyMap<string, string>): string =>
  `{${[...members.keys()]
    .sort()
    .map((name) => `"${name}":${members.get(name)}`)
    .join(',')}}`;

const finding = (kind: string, path: JsonPointer = ''): Finding => ({
  detector: 'envelope',
  kind,
  path: boundedPointer(path),
  severity: 'high',
});

function between(part: Part, boundary: string, source: ContentSource): Part {
  if (part.type !== 'text') return part;
  const { capability, version, operation } = source;
  const first = `<<untrusted ${boundary} ${capability}@${version} ${operation}>>`;
  return { type: 'text', text: `${first}\n${part.text}\n<<end ${boundary}>>` };
}

function freshBoundary(content: string, seed: () => string): string | undefined {
  const haystack = content.toLowerCase();
  for (let tries = 0; tries < MAX_SEEDS; tries += 1) {
    const boundary = seed();
    if (BOUNDARY.test(boundary) && !haystack.includes(boundary)) return boundary;
  }
  return undefined;
}

function labelled(source: ContentSource): ContentSource {
  return {
    capability: labelOf(source.capability),
    version: labelOf(source.version),
    operation: labelOf(source.operation),
    server: { method: source.server.method, result: source.server.result },
  };
}

/** A name on one line, without the brackets that end a boundary line. A server chose it: attacker-controlled. */
function labelOf(name: string): string {
  const line = quoteText(name).replace(/\s+/gu, ' ').replaceAll('<', '‹').replaceAll('>', '›');
  // Cut by code points: half a surrogate pair has no digest.
  return line.length <= MAX_LABEL_LENGTH
    ? line
    : `${Array.from(line.slice(0, MAX_LABEL_LENGTH)).slice(0, -1).join('')}…`;
}
