import { printable, visible } from '../print.js';
import { MAX_TEXT_CHARS, type Block } from './document.js';

/** A report as one HTML file for a screen or for paper. It loads nothing, and its policy forbids scripts. */
export function htmlOf(title: string, blocks: readonly Block[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>${htmlText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${blocks.map(htmlBlock).join('\n')}
</body>
</html>
`;
}

const STYLE = `
body { font: 14px/1.45 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #111; }
h1 { font-size: 1.25rem; } h2 { font-size: 1.1rem; margin-top: 2rem; border-bottom: 1px solid #999; } h3 { font-size: 1rem; }
h1, h2, h3, p, td, dd { overflow-wrap: anywhere; }
.deny { border-left: 4px solid #a40000; padding-left: .6rem; font-weight: 600; }
.allow { border-left: 4px solid #2e6b12; padding-left: .6rem; font-weight: 600; }
dl { display: grid; grid-template-columns: 9rem 1fr; gap: .1rem 1rem; margin: .5rem 0; }
dt { color: #444; } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .15rem .6rem .15rem 0; }
tr { border-bottom: 1px solid #ddd; } pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #ccc; padding: .6rem; }
@media print { body { margin: 0; max-width: none; font-size: 10pt; } h2, h3 { break-after: avoid; } tr, .deny, .allow { break-inside: avoid; } }
`;

function htmlBlock(block: Block): string {
  switch (block.type) {
    case 'heading':
      return `<h${block.level}>${htmlText(block.text)}</h${block.level}>`;
    case 'text':
      return `<p>${htmlText(block.text)}</p>`;
    case 'verdict':
      return `<p class="${block.allowed ? 'allow' : 'deny'}">${htmlText(block.text)}</p>`;
    case 'facts':
      return `<dl>${block.rows.map(([name, text]) => `<dt>${htmlText(name)}</dt><dd>${htmlText(text)}</dd>`).join('\n')}</dl>`;
    case 'table': {
      const head = block.head.map((cell) => `<th>${htmlText(cell)}</th>`).join('');
      const rows = block.rows.map((row) => `<tr>${row.map((cell) => `<td>${htmlText(cell)}</td>`).join('')}</tr>`);
      return `<table><thead><tr>${head}</tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table>`;
    }
    case 'quote': {
      const lines = block.text.split(/\r\n|\n/).map((line) => escaped(visible(line, Infinity)));
      return `<p>${htmlText(block.name)}</p>\n<pre>${lines.join('\n')}</pre>`;
    }
  }
}

/** A text on one line. */
export const htmlText = (text: string): string => escaped(printable(text, MAX_TEXT_CHARS));

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (found) => ENTITIES[found] ?? '');
