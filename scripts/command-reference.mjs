// Writes the help of every command into docs/reference/cli.md. `--check` only compares.
import { join } from 'node:path';
import { root, writePart } from './part-of-document.mjs';

const { commandReference } = await import(join(root, 'dist/apps/cli/reference.js'));
writePart('docs/reference/cli.md', 'cli', await commandReference(), 'npm run docs:cli');
