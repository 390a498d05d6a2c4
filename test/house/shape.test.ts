import assert from 'node:assert/strict';
import ts from 'typescript';
import { textOf, tracked } from './files.js';
import { test } from '../support/testing.js';

/** The shape of the sources: small files, short functions, and no cast that the compiler cannot check at all. */

const MAX_FUNCTION_LINES = 70;

/** The functions that may be longer, each with the reason. The list holds five at most, and gets shorter. */
const LONG_FUNCTIONS: Readonly<Record<string, string>> = {
  'libs/event-log/settled.ts settledLog': 'one closure holds what the log knows of batches whose fate is open',
  'libs/capability/uri-template.ts uriMatcher': 'one automaton, whose states share the input and the bounds',
  'apps/pdp/grpc/stream.ts serveStream': 'one stream, whose order and end depend on all of its handlers',
  'apps/pdp/server.ts startServer': 'the order in which the server is put together is the point of it',
};

const sources = tracked('.ts').filter((path) => /^(apps|libs)\//.test(path) && !path.endsWith('.test.ts'));

function longFunctionsOf(path: string): string[] {
  const file = ts.createSourceFile(path, textOf(path), ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && linesOf(file, node) > MAX_FUNCTION_LINES) {
      found.push(`${path} ${node.name?.getText() ?? 'without a name'}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

const lineOf = (file: ts.SourceFile, position: number): number => file.getLineAndCharacterOfPosition(position).line;
const linesOf = (file: ts.SourceFile, node: ts.Node): number =>
  lineOf(file, node.end) - lineOf(file, node.getStart()) + 1;

test(`no function is longer than ${MAX_FUNCTION_LINES} lines, but the few that are named here`, () => {
  assert.deepEqual(sources.flatMap(longFunctionsOf).sort(), Object.keys(LONG_FUNCTIONS).sort());
  assert.ok(Object.keys(LONG_FUNCTIONS).length <= 5);
});

test('half of the files have at most 110 lines, and nearly all at most 240', () => {
  const lines = sources.map((path) => textOf(path).split('\n').length - 1).sort((a, b) => a - b);
  const at = (share: number): number => lines[Math.floor(lines.length * share)] ?? 0;
  assert.ok(at(0.5) <= 110, `median ${at(0.5)}`);
  assert.ok(at(0.95) <= 240, `95th percentile ${at(0.95)}`);
});

test('no cast goes through `unknown`', () => {
  assert.deepEqual(
    sources.filter((path) => textOf(path).includes('as unknown as')),
    [],
  );
});
