/** One piece of prose with the line it begins on. */
export interface Piece {
  readonly line: number;
  readonly text: string;
}

/** Strings, templates, regular expressions and comments of TypeScript, in the order in which they have to be tried. */
const TOKENS = new RegExp(
  [
    String.raw`(?<line>(?:(?<=^|[ \t])\/\/[^\n]*\n?[ \t]*)+)`,
    String.raw`(?<block>\/\*[\s\S]*?\*\/)`,
    String.raw`'(?<single>(?:\\.|[^'\\\n])*)'`,
    String.raw`"(?<double>(?:\\.|[^"\\\n])*)"`,
    '`(?<template>(?:\\\\.|[^`\\\\])*)`',
    String.raw`(?<=[(=,:;!&|?[{}]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[dgimsuvy]*`,
  ].join('|'),
  'gm',
);

/** The comments of a TypeScript source. Neighbouring line comments are one piece. */
export function commentsOf(source: string): Piece[] {
  return tokens(source).flatMap(({ line, groups }) => {
    const text =
      groups['line']?.replaceAll(/^[ \t]*\/\/ ?/gm, '') ?? groups['block']?.replaceAll(/^\s*\/?\*+\/?/gm, '');
    return text === undefined ? [] : [{ line, text: text.replace(/\*\/$/, '') }];
  });
}

/** The texts of a TypeScript source that a person may read: strings of four words or more. */
export function textsOf(source: string): Piece[] {
  return tokens(source).flatMap(({ line, groups }) => {
    const text = groups['single'] ?? groups['double'] ?? groups['template'];
    return text !== undefined && /\w( [^ ]+){3}/.test(text) ? [{ line, text }] : [];
  });
}

function tokens(source: string): { line: number; groups: Record<string, string | undefined> }[] {
  let [line, from] = [1, 0];
  return [...source.matchAll(TOKENS)].map((match) => {
    line += source.slice(from, match.index).split('\n').length - 1;
    from = match.index;
    return { line, groups: match.groups ?? {} };
  });
}

/** The prose of a Markdown document: a piece for each paragraph, list item and cell. Code and comments are left out. */
export function paragraphsOf(document: string): Piece[] {
  const pieces: { line: number; text: string }[] = [];
  let open = false;
  let fenced = false;
  for (const [index, line] of document.split('\n').entries()) {
    if (/^\s*```/.test(line)) fenced = !fenced;
    const prose = fenced || /^\s*(```|<!--)/.test(line) ? '' : line.trim();
    const cells = prose.startsWith('|') ? prose.split(/(?<!\\)\|/).filter((cell) => /\w/.test(cell)) : [];
    for (const cell of cells) pieces.push({ line: index + 1, text: cell.trim() });
    const starts = /^([-*] |\d+\. |#+ )/.test(prose);
    const last = pieces.at(-1);
    if (prose !== '' && cells.length === 0 && !prose.startsWith('|')) {
      const text = prose.replace(/^([-*] |\d+\. |#+ )/, '');
      if (open && !starts && last !== undefined) last.text += `\n${text}`;
      else pieces.push({ line: index + 1, text });
    }
    open = prose !== '' && cells.length === 0 && !prose.startsWith('#');
  }
  return pieces;
}

/** The number of words of each sentence. Code in backticks counts as one word. */
export function sentenceLengths(text: string): number[] {
  return text
    .replaceAll(/`[^`]*`/g, 'Code')
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .split(/(?<=[.!?][)"*]*)\s+(?=[("*]*[\p{Lu}\d])|\n\s*\n|\n(?=@\w)/u)
    .map((sentence) => sentence.split(/\s+/).filter((word) => /[\p{L}\d]/u.test(word)).length)
    .filter((length) => length > 0);
}
