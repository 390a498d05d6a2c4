import { entropyOf } from './candidate.js';
import { checked, CHECKS } from './checks.js';
import { literalsOf, type Literals } from './literals.js';
import { mapInSteps, type Steps } from '../../kernel/steps.js';
import type { Rule, RuleFile } from './rules.js';
import type { FoundSpan } from './spans.js';
import type { View } from './views.js';

/** A rule that is ready to run. */
interface Probe {
  readonly rule: Rule;
  readonly type: string;
  /** Its place in the pack. */
  readonly order: number;
  readonly pattern: RegExp;
  /** The same, with the places of groups, if the pattern has a group: it is slower. */
  readonly grouped: RegExp | undefined;
  /** The source without its group. */
  readonly ungrouped: string;
  readonly back: CharacterClass | undefined;
  readonly near: number;
  readonly unless: number;
}

/** Rules that run at the start of a run of letters or digits. */
interface Starts {
  /** Those that begin there, and one pattern that matches if any of them does: it turns most places away. */
  readonly any: RegExp;
  /** One pattern whose n-th group is set if the n-th of `everywhere` matches: one match instead of many. */
  readonly which: RegExp;
  readonly everywhere: readonly Probe[];
  /** Those that need a context word. */
  readonly inContext: readonly Probe[];
  /** Those that begin before it. */
  readonly withBack: readonly Probe[];
}

/** How far from a match a context word may be, in characters. */
const NEAR_BEFORE = 60;
const NEAR_AFTER = 30;
/** How far before a match a word that speaks against it may be. */
const UNLESS_BEFORE = 24;

/** The rules of some files of a pack. It keeps nothing of the texts that it searches. */
export interface Scanner {
  /** Every match in a view, in places of the view. Matches may overlap. */
  scan(view: View): FoundSpan[];
}

/** The places of context words in a text, in rising order, by lists of words. A list without any in the text has none. */
type Places = readonly (readonly number[] | undefined)[];

export function* scannerInSteps(files: readonly RuleFile[]): Steps<Scanner> {
  const words = new Words();
  const rules = files.flatMap((file, fileIndex) =>
    file.rules.map((rule, index) => ({ rule, file, order: fileIndex * 10_000 + index })),
  );
  const probes = yield* mapInSteps(rules, 16, ({ rule, file, order }) => probeOf(rule, file, order, words));
  for (const probe of probes) for (const word of probe.rule.keywords ?? []) words.trigger(word, probe);
  const startsAt = (...at: Rule['at'][]): Starts => {
    const chosen = probes.filter(({ rule }) => at.includes(rule.at));
    const plain = chosen.filter(({ back }) => back === undefined);
    const any = tester(plain.map(({ pattern }) => `(?:${pattern.source})`).join('|'));
    const everywhere = plain.filter(({ near }) => near < 0);
    return {
      any,
      which: tester(everywhere.map(({ ungrouped }) => `(?:(?=(?:${ungrouped})())|)`).join('')),
      everywhere,
      inContext: plain.filter(({ near }) => near >= 0),
      withBack: chosen.filter(({ back }) => back !== undefined),
    };
  };
  yield;
  const guards = tester(files.flatMap((file) => file.guards.map((guard) => expanded(guard, file))).join('|'));
  const plan = {
    words,
    literals: words.literals(),
    numbers: startsAt('number', 'run'),
    letters: startsAt('word', 'run'),
    guards,
  };
  return { scan: (view) => scanned(plan, view) };
}

interface Plan {
  readonly words: Words;
  readonly literals: Literals;
  readonly numbers: Starts;
  readonly letters: Starts;
  readonly guards: RegExp;
}

function scanned({ words, literals, numbers, letters, guards }: Plan, { text, lower }: View): FoundSpan[] {
  const places: number[][] = [];
  const triggered: number[] = [];
  const starts: number[] = [];
  literals.find(
    lower,
    (word, at) => {
      if (words.isTrigger[word] === true) triggered.push(word, at);
      const lists = words.listsOf[word];
      if (lists !== undefined && isContextWord(text, at, words.list[word]?.length ?? 0))
        for (const list of lists) (places[list] ??= []).push(at);
    },
    (at, isDigit) => starts.push(isDigit ? at : -at - 1),
  );
  const search = new Search(text, places);
  for (let index = 0; index < triggered.length; index += 2) {
    const [word, at] = [triggered[index] ?? 0, triggered[index + 1] ?? 0];
    for (const probe of words.probesOf[word] ?? []) search.atKeyword(probe, at, words.list[word]?.length ?? 0);
  }
  let guarded = 0;
  for (const start of starts) {
    const at = start < 0 ? -start - 1 : start;
    if (at < guarded) continue;
    guarded = Math.max(at, endOf(guards, text, at));
    if (guarded > at) continue;
    search.atStart(start < 0 ? letters : numbers, at);
  }
  return search.found;
}

/** One search of one text. */
class Search {
  readonly found: FoundSpan[] = [];
  /** The end of the last match of each rule: a rule does not match inside of its own match. */
  readonly #ends = new Map<Probe, number>();

  constructor(
    private readonly text: string,
    private readonly places: Places,
  ) {}

  atKeyword(probe: Probe, keyword: number, length: number): void {
    if (probe.rule.at === 'after') {
      if (probe.rule.loose === undefined && isAlphanumeric(this.text, keyword - 1)) return;
      this.#try(probe, keyword + length);
      return;
    }
    const start = this.#backFrom(probe, keyword);
    if (probe.rule.loose === undefined && isAlphanumeric(this.text, start - 1)) return;
    if (probe.rule.whole === true && isJoiner(this.text, start - 1)) return;
    this.#try(probe, start);
  }

  atStart(starts: Starts, at: number): void {
    for (const probe of starts.withBack) {
      if (this.#isOutOfContext(probe)) continue;
      const start = this.#backFrom(probe, at);
      if (!isAlphanumeric(this.text, start - 1)) this.#try(probe, start);
    }
    starts.any.lastIndex = at;
    if (!starts.any.test(this.text)) return;
    starts.which.lastIndex = at;
    const which = starts.which.exec(this.text) ?? [];
    for (let index = 0; index < starts.everywhere.length; index += 1) {
      if (which[index + 1] !== undefined) this.#try(starts.everywhere[index]!, at);
    }
    for (const probe of starts.inContext) if (!this.#isOutOfContext(probe)) this.#try(probe, at);
  }

  /** Whether no text near enough can exist: the whole text lacks the words. */
  #isOutOfContext({ near }: Probe): boolean {
    return near >= 0 && this.places[near] === undefined;
  }

  #backFrom({ back, rule }: Probe, at: number): number {
    if (back === undefined) return at;
    const least = Math.max(0, at - (rule.back?.max ?? 0));
    let start = at;
    while (start > least && isIn(back, this.text.charCodeAt(start - 1))) start -= 1;
    return start;
  }

  #try(probe: Probe, at: number): void {
    if (at < (this.#ends.get(probe) ?? 0)) return;
    const { rule } = probe;
    const reached = endOf(probe.pattern, this.text, at);
    if (reached < 0) return;
    const [start, last] = groupOf(probe.grouped, this.text, at) ?? [at, reached];
    const matched = rule.whole === true ? runEnd(this.text, last) : last;
    const value = this.text.slice(start, matched);
    if (rule.exact === true && isAlphanumeric(this.text, matched)) return;
    if (rule.entropy !== undefined && entropyOf(value) < rule.entropy) return;
    if (probe.near >= 0 && !this.#isNear(probe.near, start, matched)) return;
    if (probe.unless >= 0 && this.#isAfter(probe.unless, start)) return;
    const end =
      rule.check === undefined ? matched : checked(rule.check, { text: this.text, start, end: matched, value });
    if (end === undefined) return;
    this.#ends.set(probe, end);
    this.found.push({ start, end, type: probe.type, level: rule.level, order: probe.order });
  }

  #isNear(list: number, start: number, end: number): boolean {
    return isAnyWithin(this.places[list] ?? [], start - NEAR_BEFORE, end + NEAR_AFTER);
  }

  #isAfter(list: number, start: number): boolean {
    return isAnyWithin(this.places[list] ?? [], start - UNLESS_BEFORE, start);
  }
}

/** Whether a rising list has a number that is at least `from` and less than `to`. */
function isAnyWithin(places: readonly number[], from: number, to: number): boolean {
  let [low, high] = [0, places.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((places[middle] ?? 0) < from) low = middle + 1;
    else high = middle;
  }
  return (places[low] ?? Infinity) < to;
}

/** The words that a scanner looks for: keywords of rules and context words. */
class Words {
  readonly list: string[] = [];
  readonly isTrigger: boolean[] = [];
  readonly probesOf: (Probe[] | undefined)[] = [];
  readonly listsOf: (number[] | undefined)[] = [];
  /** The context lists, by their names in all files. */
  readonly lists: string[] = [];

  /** The number of a context list; its words are added when it is first asked for. */
  listOf(name: string | undefined, file: RuleFile): number {
    if (name === undefined) return -1;
    const key = `${file.prefix}:${name}`;
    const known = this.lists.indexOf(key);
    if (known >= 0) return known;
    const words = file.contexts[name];
    if (words === undefined) throw new Error(`a pack lacks the context ${name}`);
    const list = this.lists.push(key) - 1;
    for (const word of words) (this.listsOf[this.#indexOf(word)] ??= []).push(list);
    return list;
  }

  trigger(word: string, probe: Probe): void {
    const index = this.#indexOf(word);
    this.isTrigger[index] = true;
    (this.probesOf[index] ??= []).push(probe);
  }

  literals(): Literals {
    return literalsOf(this.list);
  }

  #indexOf(word: string): number {
    const index = this.list.indexOf(word);
    return index >= 0 ? index : this.list.push(word) - 1;
  }
}

function probeOf(rule: Rule, file: RuleFile, order: number, words: Words): Probe {
  if (rule.check !== undefined && !Object.hasOwn(CHECKS, rule.check)) throw new Error(`no check ${rule.check}`);
  const source = expanded(rule.pattern, file);
  const ungrouped = source.replace(GROUP, (_, other?: string) => other ?? '(?:');
  return {
    rule,
    type: `${file.prefix}:${rule.kind}`,
    order,
    pattern: tester(source),
    grouped: ungrouped === source ? undefined : new RegExp(source, 'dy'),
    ungrouped,
    back: rule.back === undefined ? undefined : classOf(rule.back.of),
    near: words.listOf(rule.near, file),
    unless: words.listOf(rule.unless, file),
  };
}

/** A pattern with the fragments that it names. */
export function expanded(pattern: string, { fragments }: Pick<RuleFile, 'fragments'>): string {
  const whole = pattern.replace(/\$\{([a-z_]+)\}/g, (_, name: string) => {
    const fragment = fragments[name];
    if (fragment === undefined) throw new Error(`a pack lacks the fragment ${name}`);
    return fragment;
  });
  return whole === pattern ? whole : expanded(whole, { fragments });
}

/** An escape or a class, or the begin of a group that is kept. */
const GROUP = /(\\.|\[(?:\\.|[^\]\\])*\])|\((?!\?)/g;

/** A pattern that matches at `lastIndex` and nowhere else. */
const tester = (source: string): RegExp => new RegExp(source === '' ? NEVER : source, 'y');

const NEVER = '[^\\s\\S]';

/** The end of the match at a place, or -1. */
function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : -1;
}

/** The place of the group of the match at a place. */
function groupOf(grouped: RegExp | undefined, text: string, at: number): readonly [number, number] | undefined {
  if (grouped === undefined) return undefined;
  grouped.lastIndex = at;
  return grouped.exec(text)?.indices?.[1];
}

/** For each ASCII character, and in the last place for all others, whether it belongs to a class. */
type CharacterClass = readonly boolean[];
const ASCII = 128;

function classOf(source: string): CharacterClass {
  const pattern = new RegExp(`^${source}$`);
  return Array.from({ length: ASCII + 1 }, (_, code) => pattern.test(code < ASCII ? String.fromCharCode(code) : 'é'));
}

const isIn = (members: CharacterClass, code: number): boolean => members[Math.min(code, ASCII)] === true;

/** Context words begin a word: `ssn`, `_ssn` and `userSsn`, but not `assn`. */
function isContextWord(text: string, at: number, length: number): boolean {
  if (!isWordStart(text, at)) return false;
  if (length > SHORT_WORD || !isLower(text.charCodeAt(at + length - 1) | 0x20)) return true;
  const next = text.charCodeAt(at + length);
  return !isLower(next) || (next === S && !isLower(text.charCodeAt(at + length + 1)));
}

/** Words of at most this length are whole, or have a plural s: `tel` is not in `tell`. */
const SHORT_WORD = 4;
const S = 's'.charCodeAt(0);

function isWordStart(text: string, at: number): boolean {
  const before = text.charCodeAt(at - 1);
  if (isUpper(text.charCodeAt(at)) && isLower(before)) return true;
  return !isLower(before) && !isUpper(before);
}

const isUpper = (code: number): boolean => code >= 65 && code <= 90;
const isLower = (code: number): boolean => code >= 97 && code <= 122;

function isAlphanumeric(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return (code >= 48 && code <= 57) || isUpper(code) || isLower(code);
}

/** The end of the run of characters of tokens that goes on at a place: repetitions in RE2 end at 1,000. */
function runEnd(text: string, at: number): number {
  let end = at;
  // A dot belongs to the run if it goes on behind it.
  while (isOfToken(text, end) || (text.charAt(end) === '.' && isOfToken(text, end + 1))) end += 1;
  return end;
}

const isOfToken = (text: string, at: number): boolean =>
  isAlphanumeric(text, at) || '_+/=-'.includes(text.charAt(at) || ' ');

/** Underscores and hyphens, which may be a part of a token. */
const isJoiner = (text: string, at: number): boolean => '_-'.includes(text.charAt(at) || ' ');
