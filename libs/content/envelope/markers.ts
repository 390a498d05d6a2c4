import type { Edit } from './edited-text.js';
import { folded } from './look-alikes.js';

/**
 * Marks that chat templates, and our own envelope, give a meaning beyond text. This is the one table of them: envelopes
 * and the command line write untrusted text with it. A marker is found in any case and in any spelling that looks like
 * it (`look-alikes.ts`). It gets one backslash, after its first character or before the colon of a turn
 * (`<\|im_start|>`, `[\INST]`, `Human\:`). So it is no longer the mark, and a reader still sees what it was.
 */

/**
 * The continuations of `<`. Every repetition is bounded, and nothing accepts a backslash: a mark is neutralised once.
 */
const ANGLE: readonly RegExp[] = [
  // ChatML, Llama 3 and 4, GPT, Phi, Qwen, DeepSeek, Kimi, GLM, Granite: <|im_start|>, <|start_header_id|>, <|channel|>
  /\|[^|<>[\]\n\\]{1,64}\|>/,
  // Gemma 4: <|turn>, <turn|>
  /\|\/?[\w"-]{1,32}>/,
  /\/?[\w"-]{1,32}\|>/,
  // Llama 2
  /<\/?SYS>>/,
  // Begin and end of texts and turns: Llama 2, Gemma, GLM, Command R, T5, Baichuan, Nemotron
  /\/?(?:s|sop|eop|bos|eos|pad|unk|cls|sep|mask|gmask)>/,
  /(?:BOS|EOS|EOP|PAD|UNK)_TOKEN>/,
  /(?:start|end)_of_(?:turn|text|image|audio|speech|role)>/,
  /(?:extra_id|special|unused|reserved|reserved_special_token)_?\d{1,5}>/,
  // Tool calls, reasoning blocks and roles as markup, with a namespace or a value: <function=f>, <x:tool_call>
  /\s?\/?\s?(?:[a-z]{1,16}:)?(?:tool(?:_calls?|_responses?|_results?|_use|_code|_outputs?|s)?|functions?(?:_calls?|_results?|_responses?)?|invoke|parameters?|think(?:ing)?|thoughts?|reasoning|reflection|scratchpad|system(?:[_-](?:prompt|reminder|message))?|assistant|user|human|developer)(?=[\s>/=:])/,
  // The boundary lines of our own envelope
  /\s?<\s?(?:untrusted|end)\s/,
];

/** The continuations of `[`: Llama 2, Mistral, GLM, MiniMax. */
const SQUARE: readonly RegExp[] = [
  /\s?\/?\s?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|ARGS|CALL_ID|MODEL_SETTINGS|THINK|IMG|PREFIX|MIDDLE|SUFFIX|gMASK|sMASK|MASK|CLS|SEP|BOS|EOS)\s?\]/,
  /e~\[/,
];

/** The continuations of `]`: MiniMax. */
const CLOSING: readonly RegExp[] = [/~[a-z!]{1,3}(?:\[|\])/];

const anyOf = (markers: readonly RegExp[]): string => markers.map((marker) => marker.source).join('|');
// The first character alone is taken, so that a mark inside of another one is found too.
const MARKERS = new RegExp(`<(?=${anyOf(ANGLE)})|\\[(?=${anyOf(SQUARE)})|\\](?=${anyOf(CLOSING)})`, 'gi');

/** A text without any of these has no marker: most texts have none, and there may be many of them. */
const MAY_MARK = /[<[\]:]/;

/** Roles of turns: `Human:`, `**assistant**:`, `### Instruction:`. They are turns at the start of a text or a paragraph. */
const ROLES =
  /(?:human|assistant|user|system|developer|ai|tool|model|observation|instructions?|response)[ \t*_]*(?=:)/gi;
/** The characters between the start of a paragraph and a role: quotes, headings, emphasis, items of lists. */
const LEADING = new Set(' \t\r*_#>-+•().0123456789');
/** The characters of a line before a paragraph. */
const BLANK = new Set(' \t\r>');

/** Neutralises every marker; returns a text without markers unchanged. A second application changes nothing. */
export function neutraliseMarkers(text: string): string {
  const places = markerPlaces(text);
  if (places.length === 0) return text;
  const pieces: string[] = [];
  let from = 0;
  for (const place of places) {
    pieces.push(text.slice(from, place));
    from = place;
  }
  pieces.push(text.slice(from));
  return pieces.join('\\');
}

/** The edits of `neutraliseMarkers`. */
export const markerEdits = (text: string): Edit[] => markerPlaces(text).map((at) => ({ at, remove: 0, insert: '\\' }));

/** The places, in order, at which a backslash neutralises each marker of a text. */
export function markerPlaces(text: string): number[] {
  const { text: plain, origin } = folded(text);
  if (!MAY_MARK.test(plain)) return [];
  const places = new Set<number>();
  for (const { index } of plain.matchAll(MARKERS)) places.add(origin(index + 1));
  for (const { index, 0: turn } of plain.matchAll(ROLES)) {
    if (startsParagraph(plain, index)) places.add(origin(index + turn.length));
  }
  return [...places].sort((a, b) => a - b);
}

/**
 * Whether only leading marks are between a place and the start of its paragraph. A place after a colon looks back only
 * to that colon, so all places of a text together take linear time.
 */
function startsParagraph(text: string, place: number): boolean {
  const line = before(text, place, LEADING);
  if (line === 0) return true;
  if (text[line - 1] !== '\n') return false;
  const blank = before(text, line - 1, BLANK);
  return blank === 0 || text[blank - 1] === '\n';
}

/** The start of the run of such characters that ends before a place. */
function before(text: string, place: number, run: ReadonlySet<string>): number {
  let start = place;
  while (start > 0 && run.has(text.charAt(start - 1))) start -= 1;
  return start;
}
