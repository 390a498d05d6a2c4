import { printable, table, visible } from '../print.js';
import { MAX_TEXT_CHARS, type Block } from './document.js';

/** A report for a terminal. No character reaches it that it would obey. */
export function textLines(blocks: readonly Block[]): string[] {
  return blocks.flatMap((block, index) => [...(needsSpace(block, blocks[index - 1]) ? [''] : []), ...linesOf(block)]);
}

function needsSpace(block: Block, before: Block | undefined): boolean {
  return before !== undefined && block.type === 'heading' && !(before.type === 'heading' && before.level === 2);
}

function linesOf(block: Block): string[] {
  switch (block.type) {
    case 'heading':
    case 'text':
      return [printable(block.text, MAX_TEXT_CHARS)];
    case 'verdict':
      return [`  ${printable(block.text, MAX_TEXT_CHARS)}`];
    case 'facts': {
      const width = Math.max(...block.rows.map(([name]) => name.length));
      return block.rows.map(([name, text]) => `    ${name.padEnd(width)}  ${printable(text, MAX_TEXT_CHARS)}`);
    }
    case 'table':
      return table(block.rows);
    case 'quote':
      return [
        `    ${printable(block.name)}`,
        ...block.text.split(/\r\n|\n/).map((line) => `      | ${visible(line, Infinity)}`),
      ];
  }
}
