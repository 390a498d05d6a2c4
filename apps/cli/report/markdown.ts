import { printable, visible } from '../print.js';
import { MAX_TEXT_CHARS, type Block } from './document.js';

/** A report as GitHub Flavored Markdown (spec 0.29). Texts of the record stay texts: nothing in them marks anything up. */
export function markdownOf(blocks: readonly Block[]): string {
  return `${blocks.map(markdownBlock).join('\n\n')}\n`;
}

function markdownBlock(block: Block): string {
  switch (block.type) {
    case 'heading':
      return `${'#'.repeat(block.level)} ${markdownText(block.text)}`;
    case 'text':
      return markdownText(block.text);
    case 'verdict':
      return `**${markdownText(block.text)}**`;
    case 'facts':
      return block.rows.map(([name, text]) => `- ${name}: ${markdownText(text)}`).join('\n');
    case 'table':
      return [block.head, block.head.map(() => '---'), ...block.rows.map((row) => row.map(markdownText))]
        .map((row) => `| ${row.join(' | ')} |`)
        .join('\n');
    case 'quote':
      return quoteOf(block.name, block.text);
  }
}

/** A fence is longer than any run of its character inside, so no content can close it (CommonMark 0.31, section 4.5). */
function quoteOf(name: string, text: string): string {
  const lines = text.split(/\r\n|\n/).map((line) => visible(line, Infinity));
  const longest = Math.max(2, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return [`${markdownText(name)}:`, '', `${fence}text`, ...lines, fence].join('\n');
}

/**
 * A text on one line. A backslash before ASCII punctuation makes it literal (CommonMark 0.31, section 2.4). That ends
 * emphasis, links, HTML, entities, cells of tables and the links that GFM makes of addresses by itself.
 */
export function markdownText(text: string): string {
  return printable(text, MAX_TEXT_CHARS)
    .trim()
    .replaceAll(/[\\`*_{}[\]<>&|~#!$@^=]/g, String.raw`\$&`)
    .replaceAll('://', String.raw`\://`)
    .replaceAll(/www\./gi, (found) => `${found.slice(0, 3)}\\.`)
    .replace(/^[-+]/, String.raw`\$&`)
    .replace(/^(\d{1,9})([.)])/, String.raw`$1\$2`);
}
