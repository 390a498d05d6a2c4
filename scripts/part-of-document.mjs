// The generated part of a document, between `<!-- name:begin -->` and `<!-- name:end -->`.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Writes the part into the document at `path`. With `--check` it only says whether it is there, by the exit code. */
export function writePart(path, name, content, command) {
  const file = join(root, path);
  const before = readFileSync(file, 'utf8');
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const after = `${before.slice(0, before.indexOf(begin) + begin.length)}\n\n${content}\n\n${before.slice(before.indexOf(end))}`;
  if (!process.argv.includes('--check')) writeFileSync(file, after);
  else if (after !== before) {
    console.error(`${path} is not up to date: ${command} writes it`);
    process.exitCode = 1;
  }
}
