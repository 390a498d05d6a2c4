// Writes the table of settings into README.md, from the schema that reads them. `--check` only says whether it is there.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { settingsTable } = await import(join(root, 'dist/apps/pdp/settings.js'));
const file = join(root, 'README.md');
const readme = readFileSync(file, 'utf8');
const written = readme.replace(
  /(<!-- settings:begin -->\n)[\s\S]*?(<!-- settings:end -->)/,
  (_, begin, end) => `${begin}\n${settingsTable()}\n\n${end}`,
);
if (process.argv.includes('--check')) {
  if (written !== readme) {
    console.error('the table of settings in README.md is not the one of the schema: npm run docs:settings');
    process.exitCode = 1;
  }
} else writeFileSync(file, written);
