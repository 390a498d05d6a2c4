import { markerPlaces } from '../envelope/markers.js';
import type { Hit, Searched } from './hit.js';
import type { Language } from './sentences.js';
import { wordsOf } from './tokens.js';

const AFTER_MARKER = 400;

/** The role of a turn that answers the one before it. */
const ANSWERS = /(?:assistant|ai|model|response)[ \t*_]{0,8}$/;

/** Tags are also placeholders in documents: `<tool>`. Special tokens of chat templates are nothing else. */
const isTag = (lower: string, place: number): boolean => lower[place - 1] === '<' && /[a-z/]/.test(lower.charAt(place));

/** Role markers. One that an order or another finding follows opens a turn; one that is only named is marked. */
export function markerHits({ view, words, orders, mention }: Searched, hits: readonly Hit[]): Hit[] {
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
    const answer = places[index + 1] ?? 0;
    const isAnswered = !isTurn || ANSWERS.test(view.lower.slice(Math.max(0, answer - 16), answer));
    const isPlaced = isTurn || !isTag(view.lower, place) || /^[\n>"']?$/.test(view.text.charAt(from - 1));
    const isLive = isFollowed && !isNamed && isAnswered && isPlaced && !mention(from);
    return {
      detector: 'role_marker',
      kind: 'role_marker' as const,
      severity: isLive ? ('high' as const) : ('low' as const),
      from,
      to: isLive ? Math.max(place + 1, (starts[next] ?? 0) + 1) : place + 1,
    };
  });
}

/** A conversation that ends with the turn of an assistant left open asks its reader to go on. */
const OPEN_TURN = /(?:^|\n)[ \t>*_#]{0,6}(?:assistant|ai|model)[ *_]{0,4}:[\s"'}\]]{0,40}$/;
const ASKED_TURN = /(?:^|\n)[ \t>*_#]{0,6}(?:user|human|question|customer)[ *_]{0,4}:/;

export function openTurnHits({ view }: Searched): Hit[] {
  const from = Math.max(0, view.lower.length - 80);
  const open = OPEN_TURN.exec(view.lower.slice(from));
  if (open === null || !ASKED_TURN.test(view.lower)) return [];
  return [
    { detector: 'open_turn', kind: 'role_marker', severity: 'high', from: from + open.index, to: view.lower.length },
  ];
}

/** The start of a block of a chat template: ChatML, Llama 2 and 3, Mistral, Gemma. */
const BLOCK =
  /<\|im_start\|>\s{0,4}(?:system|user|assistant|developer|tool)\b|<\|start_header_id\|>\s?[a-z]{1,16}\s?<\|end_header_id\|>|<\|(?:system|user|developer|assistant)\|>|<start_of_turn>\s{0,2}(?:user|model|system)\b|\[inst\]|<<sys>>/g;
const BLOCK_END = /<\|?[a-z_/]{2,24}\|?>|<\/s>|<<\/?sys>>|\[\/?inst\]/;
const MAX_BLOCK = 2000;
const MIN_SAID = 5;
/** The system message of most examples. */
const CUSTOMARY = /^you are (?:a|an) (?:helpful|friendly)[a-z ,]{0,60}\.?$/;

/** Blocks of a chat template that say something: only a template writes them, and a response is none. */
export function blockHits({ view, mention }: Searched, { common }: Language): Hit[] {
  if (!/<\||<start_|\[inst\]|<<sys/.test(view.lower)) return [];
  return [...view.lower.matchAll(BLOCK)].flatMap(({ 0: mark, index }) => {
    const from = index + mark.length;
    const rest = view.lower.slice(from, from + MAX_BLOCK);
    const end = BLOCK_END.exec(rest)?.index ?? rest.length;
    const said = wordsOf(rest.slice(0, end)).word;
    const isSaid = said.length >= MIN_SAID && said.some((word) => common.has(word)) && /[a-z]/.test(rest.slice(0, end));
    const isExample = /[`'"]/.test(view.text.charAt(index - 1)) || CUSTOMARY.test(rest.slice(0, end).trim());
    if (!isSaid || isExample || mention(index)) return [];
    return [{ detector: 'role_block', kind: 'role_marker', severity: 'high', from: index, to: from + end }];
  });
}
