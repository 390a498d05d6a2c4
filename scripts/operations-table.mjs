// Writes the table of operations into docs/reference/http.md. `--check` only compares.
import { join } from 'node:path';
import { root, writePart } from './part-of-document.mjs';

const { operationsTable } = await import(join(root, 'dist/libs/contract/operations-table.js'));
writePart('docs/reference/http.md', 'operations', operationsTable(), 'npm run docs:http');
