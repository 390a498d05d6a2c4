// Writes the table of settings into docs/operate/settings.md, from the schema that reads them. `--check` only compares.
import { join } from 'node:path';
import { root, writePart } from './part-of-document.mjs';

const { settingsTable } = await import(join(root, 'dist/apps/pdp/settings.js'));
writePart('docs/operate/settings.md', 'settings', settingsTable(), 'npm run docs:settings');
