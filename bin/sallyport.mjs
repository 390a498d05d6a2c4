#!/usr/bin/env node
// The `sallyport` command, of a checkout and of the installed package. npx links a command only if its file is there, and
// then remembers the folder: so this file is not compiled, and in a checkout that was never built it builds first. The
// program runs itself again on the Node 24 of the package if this one is older.
import { existsSync } from 'node:fs';

const program = new URL('../dist/apps/cli/main.js', import.meta.url);
if (!existsSync(program)) await import('../scripts/prepare.mjs');
await import(program.href);
