import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { parsers } from 'prettier/plugins/markdown';
import { test } from '../../../test/support/testing.js';
import { printable } from '../print.js';
import type { Block } from './document.js';
import { htmlOf } from './html.js';
import { markdownOf } from './markdown.js';
import { textLines } from './text.js';

/** Texts that mark something up, hide something, or move a terminal, among others. */
const hostile = fc
  .array(
    fc.constantFrom(
      '<script>alert(1)</script>',
      '"><img src=x onerror=alert(1)>',
      "' onclick='x",
      '&lt;b&gt;',
      '](javascript:alert(1))',
      '![x](http://evil.example/x.png)',
      '<http://evil.example>',
      'https://evil.example',
      'www.evil.example',
      'a@evil.example',
      '`code`',
      '```',
      '~~~',
      '| --- |',
      '**bold** __b__ ~~s~~',
      '# heading',
      '- item',
      '+ item',
      '1. one',
      '2) two',
      '> quote',
      '=====',
      '    indented',
      '\\',
      '\\*',
      '[^1]: note',
      '[a]: /url',
      '$math$',
      '{{ x }}',
      '\u001b[2J\u001b]0;title\u0007',
      '\u009b31m',
      '\u202eevil\u2066',
      '\u200b\ufeff\u{e0041}',
      '\r\n',
      '\n\n',
      '\t',
      '\ud800',
      '<|im_start|>',
      ' ',
      'word',
      'Allowed: yes',
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(''));

const blocks = (text: string): Block[] => [
  { type: 'heading', level: 1, text: `title ${text}` },
  { type: 'text', text },
  { type: 'verdict', allowed: false, text: `Denied: ${text}` },
  { type: 'facts', rows: [['purpose', text]] },
  { type: 'table', head: ['a', 'b'], rows: [['x', text]] },
  { type: 'quote', name: 'sent', text },
];

const UNSAFE = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/u;

test('no format passes on a character that a terminal obeys or a reader does not see', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const all = [...textLines(blocks(text)), markdownOf(blocks(text)), htmlOf(text, blocks(text))].join('\n');
      assert.doesNotMatch(all, UNSAFE);
    }),
  );
});

test('in HTML a text is a text: every tag is one of ours, and no attribute is from the record', () => {
  const plain = new Set(htmlOf('', blocks('x')).match(/<[^>]*>/g));
  fc.assert(
    fc.property(hostile, (text) => {
      const html = htmlOf(text, blocks(text));
      for (const tag of html.match(/<[^>]*>/g) ?? []) assert.ok(plain.has(tag), tag);
      assert.equal(html.match(/</g)?.length, html.match(/<[^>]*>/g)?.length);
      for (const found of html.slice(html.indexOf('<body>')).matchAll(/&[^;]{0,6};?/g))
        assert.match(found[0], /^&(?:amp|lt|gt|quot|#39);$/);
    }),
  );
});

interface Node {
  readonly type: string;
  readonly value?: string;
  readonly children?: readonly Node[];
}

const typesIn = ({ type, children = [] }: Node): string[] => [type, ...children.flatMap(typesIn)];
const wordsIn = ({ value = '', children = [] }: Node): string => value + children.map(wordsIn).join('');

test('in Markdown a text is a text: a parser finds the blocks of the report and nothing else', () => {
  const parse = (text: string): Node => parsers.markdown.parse(text, {} as never) as Node;
  const shape = typesIn(parse(markdownOf(blocks('x')))).filter((type) => type !== 'text');
  fc.assert(
    fc.property(hostile, (text) => {
      const tree = parse(markdownOf(blocks(text)));
      // An empty text has no paragraph of its own.
      if (printable(text).trim() !== '')
        assert.deepEqual(
          typesIn(tree).filter((type) => type !== 'text'),
          shape,
        );
      for (const type of ['html', 'link', 'image', 'inlineCode', 'definition', 'footnoteDefinition', 'linkReference'])
        assert.ok(!typesIn(tree).includes(type), `${type}: ${text}`);
      assert.ok(wordsIn(tree).includes(`Denied: ${printable(text)}`.trim()), text);
    }),
  );
});
