import type { Hit, Searched } from './hit.js';
import type { Language } from './sentences.js';
import { newSinks } from './sinks.js';
import { wordsOf, type Words } from './tokens.js';

const MAX_OPERATIONS = 1024;
const NEAR = 6;

/** Names of operations of the task. After a verb of calling, or addressed to an agent, the name is an order to call it. */
export function operationHits({ view, words, context }: Searched): Hit[] {
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

const CALLS = new Set(
  'call use invoke run execute trigger using utilise calling invoking utilize employ launch activate perform'.split(
    ' ',
  ),
);

/** The verb of calling at most six words before a word, or the word. */
function calledFrom(words: Words, at: number): number {
  for (let from = at - 1; from >= Math.max(0, at - NEAR); from -= 1) if (CALLS.has(words.word[from] ?? '')) return from;
  return at;
}

const SENDS = new Set(
  'send forward email mail post upload transmit exfiltrate submit share transfer pay wire deliver leak fetch visit open browse navigate load download curl copy report invite publish get go'.split(
    ' ',
  ),
);

/** An order to send, with an address that the request does not hold; one to send data of the user away is high. */
export function sinkHits({ view, words, orders, context, mention }: Searched, language: Language): Hit[] {
  const sending = orders.filter(({ verb }) => SENDS.has(verb));
  if (sending.length === 0) return [];
  const hits: Hit[] = [];
  let next = 0;
  for (const sink of newSinks(view.lower, context.request)) {
    while (next < sending.length && (words.end[(sending[next]?.to ?? 1) - 1] ?? 0) < sink.from) next += 1;
    const order = sending[next];
    const from = words.start[order?.from ?? 0] ?? 0;
    if (order === undefined || from >= sink.from) continue;
    const said = wordsIn(words, order.from + 1, order.to);
    const isOfData =
      AWAY.has(order.verb) && said.some((word) => language.data.has(word)) && said.some((word) => WHOLE.has(word));
    const severity = (isOfData || sink.kind === 'account') && !mention(from) ? 'high' : 'low';
    hits.push({ detector: `sink_${sink.kind}`, kind: 'exfiltration', severity, from, to: sink.to });
  }
  return hits;
}

const AWAY = new Set('send forward email upload post transmit exfiltrate leak transfer copy'.split(' '));
/** An order to send away data says whose, or how much of it. */
const WHOLE = new Set(
  "all every any your their his her my user's users last latest entire full whole private these them the".split(' '),
);
const wordsIn = (words: Words, from: number, to: number): readonly string[] => words.word.slice(from, to);

/** `you have to call`, `you need to call`. */
const isObliged = ({ word }: Words, at: number): boolean =>
  word[at - 1] === 'to' && /^(?:have|need|ought|required|asked|told)$/.test(word[at - 2] ?? '');

/** An order to use a tool by its name: `the PaymentTool tool`, `the delete_file function`. */
export function namedToolHits({ words, mayOrder, mention, view }: Searched): Hit[] {
  const hits: Hit[] = [];
  for (let at = 2; at < words.count; at += 1) {
    const noun = words.word[at] ?? '';
    if (noun !== 'tool' && noun !== 'function' && noun !== 'plugin') continue;
    const from = calledFrom(words, at - 1);
    const name = view.text.slice(words.start[at - 1], words.end[at - 1]);
    if (from === at - 1 || !(mayOrder[from] === 1 || isObliged(words, from)) || !/_|[a-z](?:Tool|Api|API)$/.test(name))
      continue;
    const start = words.start[from] ?? 0;
    // A document names its tools as code.
    const isCode = view.text[(words.start[at - 1] ?? 0) - 1] === '`' && words.word[from - 1] !== 'please';
    const severity = isCode || mention(start) ? 'low' : 'high';
    hits.push({ detector: 'named_tool', kind: 'tool_directive', severity, from: start, to: words.end[at] ?? 0 });
  }
  return hits;
}
