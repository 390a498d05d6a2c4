import { canonicalJson } from '../../kernel/canonical-json.js';
import { digestOfBytes } from '../../kernel/digest.js';
import { defined } from '../../kernel/defined.js';
import type { JsonPointer } from '../../kernel/pointer.js';
import { err, ok, type Result } from '../../kernel/result.js';
import { boundedPointer } from '../bounded-pointer.js';
import { markerOf } from './data-marks.js';
import { quoteDeep, quoteText, type DeepFault } from './invisible.js';
import { markedParts } from './marked-parts.js';
import type { RawPart, Response } from './parts.js';
import type { Hit } from '../search.js';
import { refusing, type ContentSource, type Envelope, type NewFinding, type Part } from '../shapes.js';

const BOUNDARY = /^[0-9a-f]{32}$/;
const MAX_SEEDS = 4;
const MAX_LABEL_LENGTH = 200;

export interface EnvelopeInput extends Response {
  readonly source: ContentSource;
  /** 128 fresh random bits as 32 lower-case hex digits: called once for each try. */
  readonly boundarySeed: () => string;
}

/** The spans of a response to mark, and whether it is delivered as quarantined. */
export interface Marking {
  readonly isQuarantined: boolean;
  /** Every hit whose span is marked. */
  readonly hits: readonly Hit[];
  /** How many of them, from the first on, the envelope names. They are the first findings of the answer. */
  readonly named: number;
}

const UNMARKED: Marking = { isQuarantined: false, hits: [], named: 0 };

/**
 * Puts the parts of a response into an envelope: source label, parts as quoted evidence (`partsOf` says which), and a
 * digest over all of it. Text is between two boundary lines that it cannot contain: the boundary is random, and one that
 * occurs anywhere in the content, including keys, data and labels, is discarded. Spans of hits are marked
 * (`quoteMarked`). Never throws. `text` is the envelope's RFC 8785 form: each part of it is canonicalised once. Fails with
 * a finding of kind `key_collision`, `too_deep`, `boundary` (no fresh boundary was found) or `exception`.
 */
export function buildEnvelope(
  { source: given, boundarySeed }: EnvelopeInput,
  parts: readonly RawPart[],
  marking: Marking = UNMARKED,
): Result<{ envelope: Envelope; text: string }, NewFinding> {
  try {
    const cleaned = cleanedParts(parts);
    if (!cleaned.ok) return err(finding(cleaned.error.kind, cleaned.error.path));
    const source = labelled(given);
    // The position among the other members does not matter here, so they need no order.
    const content = JSON.stringify([source, cleaned.value]).toLowerCase();
    const boundary = freshBoundary(content, boundarySeed);
    if (boundary === undefined) return err(finding('boundary'));
    const marked = markedParts(parts, cleaned.value, marking, markerOf(boundary, content));
    if (!marked.ok) return err(finding(marked.error.kind, marked.error.path));
    const first = firstLine(boundary, source);
    const flagged = marked.value.flags.map(({ span: [start, end], ...flag }) => {
      const shift = marked.value.parts[flag.part]?.type === 'text' ? first.length : 0;
      return { ...flag, span: [start + shift, end + shift] satisfies [number, number] };
    });
    const envelope = defined({
      integrity: 'untrusted' as const,
      source,
      boundary,
      parts: marked.value.parts.map((part) =>
        part.type === 'text' ? { ...part, text: `${first}${part.text}\n<<end ${boundary}>>` } : part,
      ),
      quarantined: marking.isQuarantined ? (true as const) : undefined,
      flagged: marking.isQuarantined || flagged.length > 0 ? flagged : undefined,
    });
    const members = new Map(Object.entries(envelope).map(([name, value]) => [name, canonicalJson(value)]));
    const digest = digestOfBytes(objectOf(members));
    return ok({ envelope: { ...envelope, digest }, text: objectOf(members.set('digest', canonicalJson(digest))) });
  } catch {
    return err(finding('exception'));
  }
}

function cleanedParts(parts: readonly RawPart[]): Result<Part[], DeepFault> {
  const cleaned: Part[] = [];
  for (const part of parts) {
    const { path } = part;
    if (part.type === 'text') cleaned.push({ type: 'text', text: quoteText(part.text) });
    else if (part.type === 'blob') cleaned.push(blobOf(part));
    else {
      const quoted = quoteDeep(part.value);
      if (!quoted.ok) return err({ ...quoted.error, path: path + quoted.error.path });
      cleaned.push({ type: 'structured', value: quoted.value });
    }
  }
  return ok(cleaned);
}

const blobOf = ({ type, mimeType, size, digest, data }: Extract<RawPart, { type: 'blob' }>): Part => ({
  type,
  mimeType,
  size,
  digest,
  data,
});

/** An object in RFC 8785 form, of members in that form. Their names are ours. */
const objectOf = (members: ReadonlyMap<string, string>): string =>
  `{${[...members.keys()]
    .sort()
    .map((name) => `"${name}":${members.get(name)}`)
    .join(',')}}`;

/** Depth is a limit. The rest are failures. */
const finding = (fault: EnvelopeFault, path: JsonPointer = ''): NewFinding =>
  refusing(fault === 'too_deep' ? 'cap' : 'failure', `envelope/${fault}`, boundedPointer(path));

type EnvelopeFault = DeepFault['kind'] | 'boundary' | 'exception';

const firstLine = (boundary: string, { capability, version, operation }: ContentSource): string =>
  `<<untrusted ${boundary} ${capability}@${version} ${operation}>>\n`;

/** `content` is in lower case. */
function freshBoundary(content: string, seed: () => string): string | undefined {
  for (let tries = 0; tries < MAX_SEEDS; tries += 1) {
    const boundary = seed();
    if (BOUNDARY.test(boundary) && !content.includes(boundary)) return boundary;
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
