import { digestOf } from '../../kernel/digest.js';
import { markerPlaces } from '../markers.js';
import { addDeciphered } from './ciphers.js';
import { Derived } from './derived.js';
import { addDecoded } from './encodings.js';
import type { CallContext, InstructionKind, InstructionRules, Severity } from './finding.js';
import { addHiddenMarkup } from './markup.js';
import { mentionIn, type Mention } from './mention.js';
import type { InstructionPack, ReadPack } from './pack.js';
import { Phrases } from './phrases.js';
import { plainOf, Written, type PlainView } from './plain.js';
import { languageOf, ordersIn, type Language, type Order } from './sentences.js';
import { imagesToFill, newSinks } from './sinks.js';
import { wordsOf, type Words } from './tokens.js';
import { unspacedHits } from './unspaced.js';

/** Changes with what this code finds for the same pack. */
const CODE_VERSION = 1;
/** Encodings inside of encodings. */
const MAX_DEPTH = 3;

/** A finding before its span is mapped back: offsets in the text that was searched. */
interface Hit {
  readonly detector: string;
  readonly kind: InstructionKind;
  readonly severity: Severity;
  readonly from: number;
  readonly to: number;
}

interface Detector {
  readonly pack: InstructionPack;
  readonly phrases: Phrases;
  readonly language: Language;
}

/** A text that is being searched. */
interface Searched {
  readonly view: PlainView;
  readonly words: Words;
  readonly orders: readonly Order[];
  readonly context: CallContext;
}

/** The detector of a pack. Its tables are made here, once. */
export function instructionRules({ pack, digest }: ReadPack): InstructionRules {
  const language = languageOf(pack);
  const detector = { pack, language, phrases: new Phrases(pack.lists, pack.rules) };
  return {
    digest: digestOf({ code: CODE_VERSION, pack: digest }),
    find: (text, context) =>
      inOrder(search(detector, text, context, 0)).map(({ detector, kind, severity, from, to }) => ({
        detector,
        kind,
        span: [from, to],
        severity,
      })),
  };
}

/** Hits in order; those of one detector that overlap become one. */
function inOrder(hits: readonly Hit[]): Hit[] {
  const last = new Map<string, number>();
  const merged: Hit[] = [];
  for (const hit of hits.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
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
function search(detector: Detector, text: string, context: CallContext, depth: number): Hit[] {
  const view = plainOf(text);
  const words = wordsOf(view.lower);
  const searched = { view, words, orders: ordersIn(words, detector.language), context };
  const mention = mentionIn(view.lower, detector.pack);
  const hits = [
    ...phraseHits(detector, searched, mention),
    ...unspacedHits(view.text, detector.pack.unspaced),
    ...imagesToFill(view.text).map(({ from, to }) => ({
      detector: 'image_to_fill',
      kind: 'exfiltration' as const,
      severity: 'high' as const,
      from,
      to,
    })),
    ...operationHits(searched),
    ...sinkHits(searched),
    ...disguisedHits(searched),
  ];
  hits.push(...markerHits(searched, hits));
  const mapped = hits.map((hit) => ({
    ...hit,
    from: view.starts[hit.from] ?? 0,
    to: view.starts[hit.to] ?? text.length,
  }));
  return depth < MAX_DEPTH ? [...mapped, ...derivedHits(detector, searched, text.length, depth)] : mapped;
}

function phraseHits({ phrases }: Detector, { words }: Searched, mention: Mention): Hit[] {
  return phrases.hitsIn(words).map(({ rule, from, to }) => {
    const [start, end] = [words.start[from] ?? 0, words.end[to - 1] ?? 0];
    const severity = rule.severity === 'high' && mention(start, end) ? 'low' : rule.severity;
    return { detector: rule.id, kind: rule.kind, severity, from: start, to: end };
  });
}

/** Searches everything decoded from a text or hidden in it: an order in there is a finding too. */
function derivedHits(detector: Detector, searched: Searched, length: number, depth: number): Hit[] {
  const { view, words } = searched;
  const derived = new Derived(length * 6 + 1024);
  addHiddenMarkup(view.lower, derived);
  addDecoded(view.text, derived);
  addDeciphered(view.lower, words, detector.language, derived);
  const start = (at: number): number => view.starts[at] ?? length;
  const inside = derived.isEmpty ? [] : insideHits(detector, derived, searched.context, depth);
  const hits = inside.map((hit) => ({ ...hit, from: start(hit.from), to: start(hit.to) }));
  // Hidden runs have their offsets in the original already.
  const hidden = new Derived(length * 6 + 1024);
  for (const { how, text, span } of view.hidden)
    hidden.add(text, {
      detector: how,
      kind: how === 'tag_characters' || how === 'terminal_conceal' ? 'hidden_text' : 'encoded_instruction',
      orders: 'all',
      span,
    });
  if (!hidden.isEmpty) hits.push(...insideHits(detector, hidden, searched.context, depth));
  return hits;
}

function insideHits(detector: Detector, derived: Derived, context: CallContext, depth: number): Hit[] {
  const text = derived.text();
  const found = new Map<string, Hit>();
  const note = (place: number, severity: Severity): void => {
    const { detector: name, kind, span } = derived.at(place);
    const key = `${name} ${span[0]}`;
    if (found.get(key)?.severity === 'high') return;
    found.set(key, { detector: name, kind, severity, from: span[0], to: span[1] });
  };
  for (const hit of search(detector, text, context, depth + 1)) {
    if (hit.severity === 'high') note(hit.from, 'high');
    else if (hit.severity === 'low' && derived.at(hit.from).orders === 'all') note(hit.from, 'low');
  }
  const view = plainOf(text);
  const words = wordsOf(view.lower);
  for (const order of ordersIn(words, detector.language)) {
    const place = view.starts[words.start[order.from] ?? 0] ?? 0;
    const { orders } = derived.at(place);
    if (orders === 'all' || (orders === 'unusual' && !detector.language.commentVerbs.has(order.verb)))
      note(place, 'high');
  }
  return [...found.values()];
}

const MIN_DISGUISED = 8;

/** Orders of which many letters are written as escapes, imitations or with invisible characters between. */
function disguisedHits({ view, words, orders }: Searched): Hit[] {
  if (!view.written.some((how) => how !== Written.plainly)) return [];
  const hits: Hit[] = [];
  for (const { from, to } of orders) {
    const [start, end] = [words.start[from] ?? 0, words.end[to - 1] ?? 0];
    const counts = [0, 0, 0, 0, 0];
    for (let at = start; at < end; at += 1) counts[view.written[at] ?? 0]! += 1;
    const [, escaped = 0, disguised = 0, split = 0, accented = 0] = counts;
    const most = Math.max(escaped, disguised, split, accented);
    if (most < MIN_DISGUISED || most * (accented === most ? 5 : 8) < end - start) continue;
    const detector =
      most === escaped ? 'escapes' : most === disguised ? 'look_alikes' : most === split ? 'zero_width' : 'diacritics';
    hits.push({ detector, kind: 'encoded_instruction', severity: 'high', from: start, to: end });
  }
  return hits;
}

const AFTER_MARKER = 400;

/** Role markers. One that an order or another finding follows opens a turn; one that is only named is marked. */
function markerHits({ view, words, orders }: Searched, hits: readonly Hit[]): Hit[] {
  const places = markerPlaces(view.text);
  if (places.length === 0) return [];
  const starts = [
    ...orders.map(({ from }) => words.start[from] ?? 0),
    ...hits.filter((hit) => hit.severity === 'high').map((hit) => hit.from),
  ].sort((a, b) => a - b);
  let next = 0;
  return places.map((place, index) => {
    while (next < starts.length && (starts[next] ?? 0) < place) next += 1;
    const isFollowed = next < starts.length && (starts[next] ?? 0) - place <= AFTER_MARKER;
    const from = Math.max(0, place - 1);
    const isTurn = view.text[place] === ':';
    const isNamed = /[`'"]/.test(view.text.charAt(from - 1));
    const isAnswered =
      !isTurn ||
      /^(?:assistant|ai|model)/.test(view.lower.slice(Math.max(0, (places[index + 1] ?? 0) - 9)).trimStart());
    const isLive = isFollowed && !isNamed && isAnswered;
    return {
      detector: 'role_marker',
      kind: 'role_marker' as const,
      severity: isLive ? ('high' as const) : ('low' as const),
      from,
      to: place + 1,
    };
  });
}

const MAX_OPERATIONS = 1024;
const NEAR = 6;

/** Names of operations of the task. After a verb of calling, or addressed to an agent, the name is an order to call it. */
function operationHits({ view, words, context }: Searched): Hit[] {
  const byFirst = new Map<string, string[][]>();
  for (const name of context.operations.slice(0, MAX_OPERATIONS)) {
    const parts = [...wordsOf(name.toLowerCase()).word];
    const [first] = parts;
    if (first !== undefined && name.length >= 4) byFirst.set(first, [...(byFirst.get(first) ?? []), parts]);
  }
  if (byFirst.size === 0) return [];
  const hits: Hit[] = [];
  for (let at = 0; at < words.count; at += 1) {
    for (const parts of byFirst.get(words.word[at] ?? '') ?? []) {
      if (!parts.every((part, index) => words.word[at + index] === part)) continue;
      const from = calledFrom(words, at);
      const isDistinct =
        parts.length > 1 ||
        parts[0]!.includes('_') ||
        /[a-z][A-Z]/.test(view.text.slice(words.start[at], words.end[at]));
      hits.push({
        detector: 'operation',
        kind: 'tool_directive',
        severity: from < at && isDistinct ? 'high' : 'low',
        from: words.start[from] ?? 0,
        to: words.end[at + parts.length - 1] ?? 0,
      });
    }
  }
  return hits;
}

const CALLS = new Set([
  'call',
  'use',
  'invoke',
  'run',
  'execute',
  'trigger',
  'using',
  'calling',
  'invoking',
  'utilize',
  'employ',
  'launch',
  'activate',
  'perform',
]);

/** The verb of calling at most six words before a word, or the word. */
function calledFrom(words: Words, at: number): number {
  for (let from = at - 1; from >= Math.max(0, at - NEAR); from -= 1) if (CALLS.has(words.word[from] ?? '')) return from;
  return at;
}

const SENDS = new Set([
  'send',
  'forward',
  'email',
  'mail',
  'post',
  'upload',
  'transmit',
  'exfiltrate',
  'submit',
  'share',
  'transfer',
  'pay',
  'wire',
  'deliver',
  'leak',
  'fetch',
  'visit',
  'open',
  'browse',
  'navigate',
  'load',
  'download',
  'curl',
  'copy',
  'report',
  'invite',
  'publish',
  'get',
  'go',
]);

/** An order to send, with an address that the request does not hold. */
function sinkHits({ view, words, orders, context }: Searched): Hit[] {
  const sending = orders.filter(({ verb }) => SENDS.has(verb));
  if (sending.length === 0) return [];
  const sinks = newSinks(view.lower, context.request);
  const hits: Hit[] = [];
  for (const sink of sinks) {
    const order = sending.find(
      ({ from, to }) => (words.start[from] ?? 0) < sink.from && (words.end[to - 1] ?? 0) >= sink.from,
    );
    if (order !== undefined)
      hits.push({
        detector: `sink_${sink.kind}`,
        kind: 'exfiltration',
        severity: 'low',
        from: words.start[order.from] ?? 0,
        to: sink.to,
      });
  }
  return hits;
}
