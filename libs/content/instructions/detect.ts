import { digestOf } from '../../kernel/digest.js';
import type { Steps } from '../../kernel/steps.js';
import { addDeciphered } from './ciphers.js';
import { Derived, type Origin } from './derived.js';
import { Frames } from './frames.js';
import { Lexicon } from './lexicon.js';
import { addDecoded } from './encodings.js';
import { ENOUGH, REST, type CallContext, type InstructionRules, type Severity } from './finding.js';
import { namedToolHits, operationHits, sinkHits } from './directives.js';
import type { Hit, Searched } from './hit.js';
import { addHiddenMarkup } from './markup.js';
import { mentionIn } from './mention.js';
import type { InstructionPack, ReadPack } from './pack.js';
import { linearModel, type LinearModel } from './model.js';
import { Phrases } from './phrases.js';
import { plainOf } from './plain.js';
import {
  isForPeople,
  isMild,
  isStrong,
  languageOf,
  mayOrderIn,
  ordersIn,
  speaksToPeople,
  type Language,
} from './sentences.js';
import { configHits } from './configs.js';
import { imagesToFill } from './sinks.js';
import { widened } from './spans.js';
import { blockHits, markerHits, openTurnHits } from './turns.js';
import { Break, wordsOf, type Words } from './tokens.js';
import { unspacedHits } from './unspaced.js';
import { vocabularyInSteps } from './vocabulary.js';
import { windowsOf } from './windows.js';

/** Changes with what this code finds for the same pack. */
const CODE_VERSION = 5;
/** Encodings inside of encodings. */
const MAX_DEPTH = 3;

interface Detector {
  readonly pack: InstructionPack;
  readonly phrases: Phrases;
  readonly frames: Frames;
  readonly language: Language;
  readonly model: LinearModel;
}

interface Found {
  readonly hits: Hit[];
  /** Places at which sentences order something. */
  readonly orders: readonly Placed[];
}

/** A sentence that orders something, and where it is. */
interface Placed {
  readonly place: number;
  readonly verb: string;
  readonly isForPeople: boolean;
  readonly isMild: boolean;
  readonly isStrong: boolean;
}

/** The detector of a pack. Its tables are made here, once. */
export function* instructionRulesInSteps({ pack, card, weights, digest }: ReadPack): Steps<InstructionRules> {
  const language = languageOf(pack);
  yield;
  const model = linearModel(card, weights, language.vocabulary);
  const phrases = yield* Phrases.inSteps({ ...pack.lists, ...pack.sets }, pack.rules);
  const frames = new Frames(new Lexicon(pack.classes), pack.frames);
  yield;
  yield* vocabularyInSteps(language);
  const detector = { pack, language, model, phrases, frames };
  return {
    digest: digestOf({ code: CODE_VERSION, pack: digest }),
    find: (text, context) =>
      inOrder(hitsIn(detector, text, context)).map(({ from, to, ...finding }) => ({ ...finding, span: [from, to] })),
  };
}

/** Hits of all windows of a text. After many hits of severity high, the other windows together are one more. */
function hitsIn(detector: Detector, text: string, context: CallContext): Hit[] {
  const hits: Hit[] = [];
  const high: Hit[] = [];
  for (const { at, part } of partsOf(text)) {
    const [first] = high;
    if (first !== undefined && high.length >= ENOUGH) {
      hits.push({ detector: REST, kind: first.kind, severity: 'high', from: at, to: text.length });
      break;
    }
    for (const hit of search(detector, part, context, 0).hits) {
      const placed = at === 0 ? hit : movedBy(hit, at);
      hits.push(placed);
      if (hit.severity === 'high') high.push(placed);
    }
  }
  return hits;
}

function movedBy({ model, ...hit }: Hit, at: number): Hit {
  const moved = { ...hit, from: hit.from + at, to: hit.to + at };
  if (model === undefined) return moved;
  return { ...moved, model: { ...model, spans: model.spans.map(([start, end]) => [start + at, end + at] as const) } };
}

/**
 * A longer text is searched in windows that overlap: V8 keeps a place for each repetition of a pattern, and has room for
 * some millions.
 */
const WINDOW = 1_048_576;
const OVERLAP = 8192;

function partsOf(text: string): readonly { readonly at: number; readonly part: string }[] {
  if (text.length <= WINDOW) return [{ at: 0, part: text }];
  const count = Math.ceil((text.length - OVERLAP) / (WINDOW - OVERLAP));
  return Array.from({ length: count }, (_, index) => {
    const at = index * (WINDOW - OVERLAP);
    return { at, part: text.slice(at, at + WINDOW) };
  });
}

/** Hits in order; those of one detector that overlap become one, of the higher severity. */
function inOrder(hits: readonly Hit[]): Hit[] {
  const last = new Map<string, number>();
  const merged: Hit[] = [];
  for (const hit of hits.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    const high = merged[last.get(`${hit.detector} high`) ?? -1];
    if (hit.severity === 'low' && high !== undefined && hit.to <= high.to) continue;
    const key = `${hit.detector} ${hit.severity}`;
    const index = last.get(key) ?? -1;
    const before = merged[index];
    if (before !== undefined && hit.from < before.to) merged[index] = { ...before, to: Math.max(before.to, hit.to) };
    else {
      last.set(key, merged.length);
      merged.push(hit);
    }
  }
  return merged;
}

/** Hits in a text, with offsets in it. */
function search(detector: Detector, text: string, context: CallContext, depth: number): Found {
  const view = plainOf(text);
  const words = wordsOf(view.lower);
  const mayOrder = mayOrderIn(words, detector.language);
  const orders = ordersIn(words, mayOrder, detector.language, depth > 0);
  const mention = mentionIn(view.lower, detector.pack);
  const searched = { view, words, mayOrder, orders, mention, context };
  const hits = [
    ...phraseHits(detector, searched),
    ...frameHits(detector, searched),
    ...unspacedHits(view.text, detector.pack.unspaced),
    ...imageHits(searched),
    ...operationHits(searched),
    ...namedToolHits(searched),
    ...openTurnHits(searched),
    ...sinkHits(searched, detector.language),
    ...configHits(searched),
    ...disguisedHits(searched, detector.language),
  ];
  hits.push(...markerHits(searched, hits));
  hits.push(...blockHits(searched, detector.language));
  if (depth === 0) hits.push(...modelHits(detector.model, searched));
  // A run that is encoded or hidden is marked whole.
  const spanned = depth === 0 ? widened(hits, view.text, detector.language) : hits;
  const mapped = spanned.map((hit) => ({ ...hit, from: view.origin(hit.from), to: view.origin(hit.to) }));
  const placed = orders.map((order) => ({
    place: view.origin(words.start[order.from] ?? 0),
    verb: order.verb,
    isForPeople: isForPeople(words, order, detector.language),
    isMild: isMild(words, order, detector.language, view.lower),
    isStrong: isStrong(words, order, detector.language, view.lower),
  }));
  if (depth === MAX_DEPTH) return { hits: mapped, orders: placed };
  return { hits: [...mapped, ...derivedHits(detector, searched, text.length, depth)], orders: placed };
}

const DETERMINERS = new Set('a an the this that their any some its'.split(' '));

/** Whether the words before a verb make it no order: "they ignore", "that makes the model ignore". */
function isTelling({ word, before }: Words, at: number, { descriptive, agents }: Language): boolean {
  if (before[at] !== Break.none) return false;
  const subject = word[at - 1] ?? '';
  return descriptive.has(subject) || (agents.has(subject) && DETERMINERS.has(word[at - 2] ?? ''));
}

function phraseHits({ phrases, language }: Detector, { words, mayOrder, mention }: Searched): Hit[] {
  return phrases.hitsIn(words, mayOrder).map(({ rule, from, to, isExcepted }) => {
    const [start, end] = [words.start[from] ?? 0, words.end[to - 1] ?? 0];
    const isTold = isTelling(words, from, language);
    const isHigh = rule.severity === 'high' && !isExcepted && !isTold && !mention(start, end);
    const severity = rule.severity === 'high' && !isHigh ? 'low' : rule.severity;
    return { detector: rule.id, kind: rule.kind, severity, from: start, to: end };
  });
}

function frameHits({ frames, language }: Detector, { view, words, mayOrder, mention }: Searched): Hit[] {
  return frames.hitsIn(words, mayOrder, view.lower).map(({ rule, from, to }) => {
    const [start, end] = [words.start[from] ?? 0, words.end[to - 1] ?? 0];
    const isTold = isTelling(words, from, language);
    const severity = rule.severity === 'high' && (isTold || mention(start, end)) ? 'low' : rule.severity;
    return { detector: rule.id, kind: rule.kind, severity, from: start, to: end };
  });
}

const HEAVIEST = 5;

/** The second signal. It only marks: alone it is never a reason to hold a response back. */
function modelHits(model: LinearModel, { view, words }: Searched): Hit[] {
  const { threshold, corpus } = model.card;
  return windowsOf(view.lower, words).flatMap((window) => {
    const score = model.score(words, window);
    if (score < threshold) return [];
    const ngrams = model.heaviest(words, window, HEAVIEST);
    const [from, to] = [words.start[window.from] ?? 0, words.end[window.to - 1] ?? 0];
    const seen = {
      score,
      threshold,
      ngrams: ngrams.map(({ text }) => text),
      spans: ngrams.map((ngram) => {
        const [start, end] = [words.start[ngram.from] ?? 0, words.end[ngram.to - 1] ?? 0];
        return [view.origin(start), view.origin(end)] as const;
      }),
      corpus,
    };
    return [{ detector: 'linear_model', kind: 'linear_model', severity: 'low', from, to, model: seen }];
  });
}

function imageHits({ view, mention }: Searched): Hit[] {
  return imagesToFill(view.text).map(({ from, to }) => {
    const severity = mention(from) ? 'low' : 'high';
    return { detector: 'image_to_fill', kind: 'exfiltration', severity, from, to };
  });
}

/** Searches everything decoded from a text or hidden in it: an order in there is a finding too. */
function derivedHits(detector: Detector, searched: Searched, length: number, depth: number): Hit[] {
  const { view, words } = searched;
  const derived = new Derived(length * 6 + 1024);
  addHiddenMarkup(view.lower, derived);
  addDecoded(view.text, derived);
  addDeciphered(view.lower, words, detector.language, derived);
  const inside = derived.isEmpty ? [] : insideHits(detector, derived, searched, depth);
  const hits = inside.map((hit) => ({ ...hit, from: view.origin(hit.from), to: view.origin(hit.to) }));
  // Hidden runs have their offsets in the original already.
  const hidden = new Derived(length * 6 + 1024);
  for (const { how, text, span } of view.hidden)
    hidden.add(text, {
      detector: how,
      kind: how === 'tag_characters' || how === 'terminal_conceal' ? 'hidden_text' : 'encoded_instruction',
      orders: how === 'bidi_override' ? 'all' : 'any',
      span,
    });
  if (!hidden.isEmpty) hits.push(...insideHits(detector, hidden, searched, depth));
  return hits;
}

/** Nothing harmless is written in characters that nobody sees, but flags: one word. */
const HIDDEN_WORDS = /\p{L}{2}\P{L}{1,4}\p{L}{1,32}\P{L}{1,4}\p{L}{2}/u;

function insideHits(detector: Detector, derived: Derived, outside: Searched, depth: number): Hit[] {
  const text = derived.text();
  const found = new Map<string, Hit>();
  const note = (place: number, severity: Severity): void => {
    const { detector: name, kind, span, isVisible } = derived.at(place);
    if (isVisible && severity === 'high' && outside.mention(span[0])) return note(place, 'low');
    const key = `${name} ${span[0]}`;
    if (found.get(key)?.severity === 'high') return;
    found.set(key, { detector: name, kind, severity, from: span[0], to: span[1] });
  };
  const { hits, orders } = search(detector, text, outside.context, depth + 1);
  for (const hit of hits) {
    if (hit.severity === 'high') note(hit.from, 'high');
    else if (hit.severity === 'low' && SPELLED.has(derived.at(hit.from).orders)) note(hit.from, 'low');
  }
  for (const order of orders) {
    const severity = severityOf(order, derived, detector.language);
    if (severity !== undefined) note(order.place, severity);
  }
  for (const place of derived.placesOf('any')) if (HIDDEN_WORDS.test(derived.pieceAt(place))) note(place, 'high');
  return [...found.values()];
}

/** Origins of which sentences that mean little are marked too. */
const SPELLED = new Set<Origin['orders']>(['all', 'firm', 'strong']);

/** The severity of an order in a derived text. */
function severityOf(order: Placed, derived: Derived, language: Language): Severity | undefined {
  switch (derived.at(order.place).orders) {
    case 'none':
      return undefined;
    case 'element':
      return language.elementVerbs.has(order.verb) ? undefined : 'high';
    case 'comment':
      return order.isForPeople || speaksToPeople(derived.pieceAt(order.place), language) ? undefined : 'high';
    case 'firm':
      return order.isMild ? 'low' : 'high';
    case 'strong':
      return order.isStrong ? 'high' : 'low';
    default:
      return 'high';
  }
}

const MIN_DISGUISED = 8;

/** Orders of which many letters are written as escapes, imitations or with invisible characters between. */
function disguisedHits({ view, words, orders }: Searched, language: Language): Hit[] {
  const { written } = view;
  if (written === undefined) return [];
  const hits: Hit[] = [];
  for (const order of orders) {
    const { from, to } = order;
    const [start, end] = [words.start[from] ?? 0, words.end[to - 1] ?? 0];
    const counts = [0, 0, 0, 0, 0];
    for (let at = start; at < end; at += 1) counts[written[at] ?? 0]! += 1;
    const [, escaped = 0, disguised = 0, split = 0, accented = 0] = counts;
    const most = Math.max(escaped, disguised, split, accented);
    if (most < MIN_DISGUISED || most * (accented === most ? 5 : 8) < end - start) continue;
    const detector =
      most === escaped ? 'escapes' : most === disguised ? 'look_alikes' : most === split ? 'zero_width' : 'diacritics';
    const isHigh =
      detector === 'diacritics'
        ? isStrong(words, order, language, view.lower)
        : !isMild(words, order, language, view.lower);
    hits.push({ detector, kind: 'encoded_instruction', severity: isHigh ? 'high' : 'low', from: start, to: end });
  }
  return hits;
}
