/** A place in a policy's text. Both numbers count from 1, columns in Unicode code points. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A word, a string or a sign of a text that Cedar has parsed. `at` is its first UTF-16 unit. */
export interface Token {
  readonly kind: 'name' | 'string' | 'sign';
  /** The value, if the token is a string. */
  readonly text: string;
  readonly at: number;
}

/** Cedar's JSON policy format has no positions, so the tokens of the text supply them. */
const TOKEN = /\s+|\/\/[^\n]*|(?<name>[A-Za-z_][A-Za-z0-9_]*)|"(?<string>[^"\\]*(?:\\.[^"\\]*)*)"|(?<sign>::|.)/gsu;

/** The tokens of a text that Cedar has parsed, without comments. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (const { groups, index: at } of text.matchAll(TOKEN)) {
    const { name, string, sign } = groups ?? {};
    if (name !== undefined) tokens.push({ kind: 'name', text: name, at });
    else if (string !== undefined) tokens.push({ kind: 'string', text: unescaped(string), at });
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign, at });
  }
  return tokens;
}

const ESCAPE = /\\(?:u\{(?<code>[0-9A-Fa-f_]+)\}|x(?<byte>[0-9A-Fa-f]{2})|(?<other>.))/gsu;
const CONTROLS: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['0', '\0'],
]);

function unescaped(string: string): string {
  return string.replace(ESCAPE, (...all: unknown[]) => {
    const { code, byte, other = '' } = all.at(-1) as { code?: string; byte?: string; other?: string };
    const digits = code?.replaceAll('_', '') ?? byte;
    return digits === undefined ? (CONTROLS.get(other) ?? other) : String.fromCodePoint(Number.parseInt(digits, 16));
  });
}

/** The first UTF-16 unit of each policy of a text. */
export function policyStarts(tokens: readonly Token[]): number[] {
  return tokens.filter((_, index) => index === 0 || isSign(tokens[index - 1], ';')).map(({ at }) => at);
}

export const isSign = (token: Token | undefined, text: string): boolean =>
  token?.kind === 'sign' && token.text === text;
export const isName = (token: Token | undefined, text: string): boolean =>
  token?.kind === 'name' && token.text === text;

/** The place of a UTF-16 unit of a text. */
export function placeOf(text: string, at: number): Place {
  const before = text.slice(0, at);
  const lineStart = before.lastIndexOf('\n') + 1;
  let line = 1;
  for (let index = before.indexOf('\n'); index >= 0; index = before.indexOf('\n', index + 1)) line += 1;
  return { line, column: (before.slice(lineStart).match(/./gsu)?.length ?? 0) + 1 };
}

/** Returns a function that turns a byte offset of the text's UTF-8 form, which Cedar uses, into a UTF-16 unit. */
export function unitsOf(text: string): (byte: number) => number {
  const bytes = Buffer.from(text);
  // Without multi-byte characters, both are equal.
  return bytes.length === text.length ? (byte) => byte : (byte) => bytes.toString('utf8', 0, byte).length;
}
