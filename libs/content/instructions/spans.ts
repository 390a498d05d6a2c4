import type { Hit } from './hit.js';
import type { Language } from './sentences.js';

/** The sentences of a text, and lines and elements of markup. Offsets in the text; a start is the end of the one before. */
interface Sentences {
  /** The span of the sentences that carry an order, and of those directly after it that go on with it. */
  readonly around: (from: number, to: number) => readonly [number, number];
}

/** Ends of sentences, lines, tags, and strings of JSON. Every repetition is bounded. */
const ENDS = /[.!?…]["')\]]{0,2}(?=\s[^a-z])|[。！？]|\n|<\/?[a-zA-Z!][^<>]{0,200}>|["']\s?(?=[,:}\]])/g;
/** A shorter line is no line of a wrapped paragraph. */
const WRAPPED = 60;
const LIST_ITEM = /^[ \t]{0,8}(?:[-*#>|\n]|\d{1,2}[.)])/;
/** Units that a span may be wider on each side than the phrase. */
const MAX_WIDER = 600;
/** Sentences that go on, and the units of them together. */
const MAX_SENTENCES = 4;
const MAX_CONTINUED = 1200;
const FIRST_WORDS = /^[^\p{L}\n]{0,12}([\p{L}']{1,24})(?:\s([\p{L}']{1,24}))?/u;
const OBLIGES = /^(?:must|should|will|have|need|are|may|can|shall)$/;

/** Linear in the text. */
function sentencesOf(text: string, language: Language): Sentences {
  const starts = [0];
  let line = 0;
  for (const { 0: end, index } of text.matchAll(ENDS)) {
    const next = index + end.length;
    if (end === '\n') {
      const isLine = index - line < WRAPPED || LIST_ITEM.test(text.slice(next, next + 12));
      line = next;
      if (!isLine) continue;
    }
    // A tag belongs to no sentence.
    if (end.startsWith('<')) starts.push(index);
    starts.push(next);
  }
  starts.push(text.length);
  return { around: (from, to) => around(text, starts, language, from, to) };
}

function around(
  text: string,
  starts: readonly number[],
  language: Language,
  from: number,
  to: number,
): readonly [number, number] {
  const first = starts[indexAt(starts, from)] ?? 0;
  let last = indexAt(starts, Math.max(from, to - 1));
  let end = Math.min(starts[last + 1] ?? text.length, to + MAX_WIDER);
  for (let count = 0; count < MAX_SENTENCES && end === starts[last + 1]; count += 1) {
    const next = starts[last + 2] ?? end;
    if (next - to > MAX_CONTINUED || !goesOn(text.slice(end, Math.min(next, end + 80)), language)) break;
    last += 1;
    end = next;
  }
  return trimmed(text, Math.max(first, from - MAX_WIDER), Math.max(to, end), from, to);
}

function indexAt(starts: readonly number[], place: number): number {
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= place) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/** Whether a sentence after an order goes on with it: "Then …", "After that …", another order. */
function goesOn(sentence: string, language: Language): boolean {
  const [, first, second = ''] = FIRST_WORDS.exec(sentence.toLowerCase()) ?? [];
  if (first === undefined) return false;
  if (first === 'you') return OBLIGES.test(second);
  return language.continues.has(first) || (language.imperatives.has(first) && !language.common.has(first));
}

/** A span without the spaces and quotes at its ends; it keeps what was found. */
function trimmed(text: string, start: number, end: number, from: number, to: number): readonly [number, number] {
  while (start < from && /[\s"'>]/.test(text.charAt(start))) start += 1;
  while (end > to && /[\s"'<]/.test(text.charAt(end - 1))) end -= 1;
  return [start, end];
}

/** Findings of severity high cover the sentences that carry them, so that these are marked whole. */
export function widened(hits: readonly Hit[], text: string, language: Language): readonly Hit[] {
  if (!hits.some(({ severity }) => severity === 'high')) return hits;
  const sentences = sentencesOf(text, language);
  return hits.map((hit) => {
    if (hit.severity !== 'high') return hit;
    const [from, to] = sentences.around(hit.from, hit.to);
    return { ...hit, from, to };
  });
}
