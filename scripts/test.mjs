// Runs Jest on the compiled tests: `node scripts/test.mjs [PATTERN…] [JEST OPTION…]`. A pattern is a part of the path of a
// test file below the root of the checkout, with `*` for anything: `house`, `libs/audit`, `test/http/a*.test.ts`.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from 'jest';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');

/** Jest's own patterns are regular expressions that match the whole path, with the names of the folders above. */
function toExpression(pattern) {
  const compiled = pattern.replace(/^(\.\/)?(dist\/)?/, '').replace(/\.ts$/, '.js');
  return `${dist}/.*${compiled.replaceAll('.', '\\.').replaceAll('*', '.*')}`;
}

const args = process.argv.slice(2);
const optionsFrom = [...args, '-'].findIndex((arg) => arg.startsWith('-'));
const patterns = args.slice(0, optionsFrom).map(toExpression);
await run(['--config', join(root, 'jest.config.mjs'), ...patterns, ...args.slice(optionsFrom)]);
