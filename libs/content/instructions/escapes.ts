/** A character of a text, after the escapes in which it is written are undone. */
export interface Unescaped {
  readonly code: number;
  /** The place after it, in UTF-16 units. */
  readonly end: number;
  /** Whether it was written as a number: `\x41`, `&#65;`, `%41`. */
  readonly escaped: boolean;
}

const HEX_ESCAPE = /u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|0?(33|1[0-7][0-7])/y;
const ENTITY = /&(?:amp;){0,4}(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|([a-z]{2,8}));/iy;
const PERCENT = /%(?:25){0,4}([0-7][0-9a-f])/iy;

const ENTITIES: Readonly<Record<string, number>> = {
  amp: 38,
  lt: 60,
  gt: 62,
  quot: 34,
  apos: 39,
  nbsp: 32,
  colon: 58,
  excl: 33,
  newline: 10,
  tab: 9,
  zwnj: 0x200c,
  zwj: 0x200d,
  shy: 0xad,
  rlm: 0x200f,
  lrm: 0x200e,
};

const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 10, t: 9, f: 10, v: 10 };
/** A text that is encoded again and again doubles its backslashes; one encoded eight times is no longer readable. */
const MAX_BACKSLASHES = 255;

/** The character at a place, which is written plainly or as an escape of JSON, of a programming language, HTML or a URL. */
export function escapeAt(text: string, at: number): Unescaped {
  const unit = text.charCodeAt(at);
  if (unit === 92) return backslashAt(text, at);
  if (unit === 38) return entityAt(text, at);
  if (unit === 37) return percentAt(text, at);
  if (unit < 0xd800 || unit > 0xdfff) return { code: unit, end: at + 1, escaped: false };
  const code = text.codePointAt(at) ?? unit;
  return { code, end: at + (code > 0xffff ? 2 : 1), escaped: false };
}

function backslashAt(text: string, at: number): Unescaped {
  let next = at + 1;
  while (next - at < MAX_BACKSLASHES && text.charCodeAt(next) === 92) next += 1;
  const control = CONTROLS[text.charAt(next)];
  if (control !== undefined) return { code: control, end: next + 1, escaped: false };
  const character = hexEscapeAt(text, next);
  if (character !== undefined) return character;
  const code = text.charCodeAt(next);
  // An escaped mark (`\"`, `\_`) is the mark.
  if (code >= 33 && code < 127 && !/[0-9A-Za-z]/.test(text.charAt(next)))
    return { code, end: next + 1, escaped: false };
  return { code: 92, end: next, escaped: false };
}

/** A number in hexadecimal after a backslash, with the second half of a surrogate pair. */
function hexEscapeAt(text: string, at: number): Unescaped | undefined {
  HEX_ESCAPE.lastIndex = at;
  const found = HEX_ESCAPE.exec(text);
  if (found === null) return undefined;
  const [, braced, short, long, byte, octal] = found;
  const code = octal === undefined ? parseInt(braced ?? short ?? long ?? byte ?? '', 16) : parseInt(octal, 8);
  let end = HEX_ESCAPE.lastIndex;
  if (code >= 0xd800 && code <= 0xdbff) {
    let next = end;
    while (next - end < MAX_BACKSLASHES && text.charCodeAt(next) === 92) next += 1;
    const low = /^u(d[c-f][0-9a-f]{2})/i.exec(text.slice(next, next + 5));
    if (low !== null && next > end) {
      end = next + 5;
      return { code: 0x10000 + (code - 0xd800) * 0x400 + (parseInt(low[1] ?? '', 16) - 0xdc00), end, escaped: true };
    }
  }
  return { code: code <= 0x10ffff ? code : 0xfffd, end, escaped: true };
}

function entityAt(text: string, at: number): Unescaped {
  ENTITY.lastIndex = at;
  const found = ENTITY.exec(text);
  const plain = { code: 38, end: at + 1, escaped: false };
  if (found === null) return plain;
  const [, hex, decimal, name] = found;
  if (name !== undefined) {
    const code = ENTITIES[name.toLowerCase()];
    return code === undefined ? plain : { code, end: ENTITY.lastIndex, escaped: false };
  }
  const code = hex === undefined ? parseInt(decimal ?? '', 10) : parseInt(hex, 16);
  return { code: code > 0 && code <= 0x10ffff ? code : 0xfffd, end: ENTITY.lastIndex, escaped: true };
}

function percentAt(text: string, at: number): Unescaped {
  PERCENT.lastIndex = at;
  const found = PERCENT.exec(text);
  if (found === null) return { code: 37, end: at + 1, escaped: false };
  return { code: parseInt(found[1] ?? '', 16), end: PERCENT.lastIndex, escaped: true };
}
