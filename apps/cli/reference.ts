import type { Command } from 'commander';
import { buildProgram, run } from './program.js';
import { EXIT, type World } from './world.js';

/** The Markdown of every command's help, for docs/reference/cli.md: `npm run docs:cli` writes it, and a house test compares it. */
export async function commandReference(): Promise<string> {
  const root = buildProgram(
    quietWorld(() => undefined),
    { code: EXIT.done },
  );
  const sections = [];
  for (const path of commandPaths(root, [])) {
    let help = '';
    await run(
      [...path, '--help'],
      quietWorld((text) => (help += text)),
    );
    sections.push(`## sallyport ${path.join(' ')}`.trimEnd() + `\n\n\`\`\`\n${help.trim()}\n\`\`\``);
  }
  return sections.join('\n\n');
}

function commandPaths(command: Command, path: readonly string[]): (readonly string[])[] {
  return [path, ...command.commands.flatMap((child) => commandPaths(child, [...path, child.name()]))];
}

const quietWorld = (out: (text: string) => void): World => ({
  env: {},
  cwd: '.',
  columns: 110,
  out,
  err: () => undefined,
  readStdin: async () => '',
});
