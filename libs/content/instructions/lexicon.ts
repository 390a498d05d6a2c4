import { Break, type Words } from './tokens.js';

/** Members of a class: words, stems such as `ignorier*`, and phrases such as `set+aside`. */
interface Member {
  readonly name: string;
  readonly rest: readonly string[];
}

const STEM = 4;
const AT_SIGN = 64;
/** The class of the domains of mail addresses. */
const MAIL = '@';

/** The places of the words of each class in a text: numbers of words, in order. */
export type Places = ReadonlyMap<string, readonly number[]>;

/** The classes of words that frames are made of, ready to be found in one pass. */
export class Lexicon {
  private readonly byWord = new Map<string, Member[]>();
  private readonly byStem = new Map<string, [stem: string, name: string][]>();

  constructor(classes: Readonly<Record<string, string>>) {
    for (const [name, members] of Object.entries(classes)) {
      for (const member of members.split(' ')) this.add(name, member);
    }
  }

  private add(name: string, member: string): void {
    if (member.endsWith('*')) {
      const stem = member.slice(0, -1);
      const bucket = this.byStem.get(stem.slice(0, STEM)) ?? [];
      this.byStem.set(stem.slice(0, STEM), [...bucket, [stem, name]]);
      return;
    }
    const [first = '', ...rest] = member.split('+');
    this.byWord.set(first, [...(this.byWord.get(first) ?? []), { name, rest }]);
  }

  /** Each word costs a bounded time: its members are few, and phrases are short. */
  placesIn(words: Words, lower: string): Places {
    const places = new Map<string, number[]>();
    const note = (name: string, at: number): void => {
      const known = places.get(name);
      if (known === undefined) places.set(name, [at]);
      else if (known[known.length - 1] !== at) known.push(at);
    };
    for (let at = 0; at < words.count; at += 1) {
      const word = words.word[at] ?? '';
      for (const { name, rest } of this.byWord.get(word) ?? []) if (goesOnWith(words, at, rest)) note(name, at);
      if (lower.charCodeAt((words.start[at] ?? 0) - 1) === AT_SIGN) note(MAIL, at);
      if (word.length < STEM) continue;
      for (const [stem, name] of this.byStem.get(word.slice(0, STEM)) ?? []) if (word.startsWith(stem)) note(name, at);
    }
    return places;
  }
}

function goesOnWith(words: Words, at: number, rest: readonly string[]): boolean {
  for (let index = 0; index < rest.length; index += 1) {
    const next = at + 1 + index;
    if (words.word[next] !== rest[index] || words.before[next] === Break.hard) return false;
  }
  return true;
}
