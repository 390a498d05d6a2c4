import { Break, type Words } from './tokens.js';

/** A stretch of words that is judged on its own: numbers of words, the end is excluded. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

const MIN_WORDS = 6;
const MAX_WORDS = 40;

/** Parts words into sentences and lines. Short ones join the next one; long ones are cut. Every word is in one window. */
export function windowsOf(lower: string, words: Words): Window[] {
  const windows: Window[] = [];
  let from = 0;
  for (let at = 1; at <= words.count; at += 1) {
    const isEnd = at === words.count || at - from >= MAX_WORDS || (at - from >= MIN_WORDS && endsAt(lower, words, at));
    if (!isEnd) continue;
    windows.push({ from, to: at });
    from = at;
  }
  return windows;
}

function endsAt(lower: string, words: Words, at: number): boolean {
  if (words.before[at] === Break.hard) return true;
  if (words.before[at] === Break.none) return false;
  return /[\n"<>|]/.test(lower.slice(words.end[at - 1], words.start[at]));
}
