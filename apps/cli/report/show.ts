import { Option, type Command } from 'commander';
import type { Session } from '../command.js';
import type { Block } from './document.js';
import { htmlOf } from './html.js';
import { markdownOf } from './markdown.js';
import { textLines } from './text.js';

const FORMATS = ['text', 'markdown', 'html', 'json'] as const;

export interface FormatOptions {
  readonly format?: (typeof FORMATS)[number];
}

/** Adds `--format` to a command that prints a report. */
export const withFormat = (command: Command): Command =>
  command.addOption(
    new Option('--format <format>', 'text for a terminal, markdown or html for paper, json for programs')
      .choices(FORMATS)
      .default('text'),
  );

/** Prints a report in the wanted format. `answer` is the JSON that the report tells. */
export function showReport(
  { world, options, show }: Pick<Session<FormatOptions>, 'world' | 'options' | 'show'>,
  answer: unknown,
  title: string,
  blocks: () => readonly Block[],
): void {
  const { format, json } = options;
  if (json !== true && format === 'markdown') world.out(markdownOf(blocks()));
  else if (json !== true && format === 'html') world.out(htmlOf(title, blocks()));
  else show(answer, () => textLines(blocks()), format === 'json');
}
