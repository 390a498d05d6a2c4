import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { projectRoot } from '../support/root.js';

/** One server of the table, servers.yaml. */
const Row = z.strictObject({
  name: z.string(),
  version: z.string(),
  registry: z.enum(['npm', 'pypi']),
  /** The program of the package that is started. */
  bin: z.string(),
  args: z.array(z.string()).default([]),
  env: z.record(z.string(), z.string()).default({}),
  /** The call of the server. */
  call: z.strictObject({ tool: z.string(), arguments: z.record(z.string(), z.unknown()) }),
  /** `.ci/run` tries it. */
  ci: z.boolean().default(false),
});
export type Row = z.infer<typeof Row>;

/**
 * The servers to try: all of them, or what SALLYPORT_TEST_SERVERS asks for: `ci`, or names with commas between them.
 */
export function serversToTry(wanted = process.env['SALLYPORT_TEST_SERVERS'] ?? ''): readonly Row[] {
  const rows = z.array(Row).parse(parse(readFileSync(join(projectRoot, 'test/servers/servers.yaml'), 'utf8')));
  if (wanted === '') return rows;
  const names = new Set(wanted.split(','));
  const found = rows.filter(({ name, ci }) => (wanted === 'ci' ? ci : names.has(name)));
  if (found.length === 0) throw new Error(`SALLYPORT_TEST_SERVERS names no server of the table: ${wanted}`);
  return found;
}

/** A row with each `{folder}` replaced. */
export function placedIn(row: Row, folder: string): Row {
  return Row.parse(JSON.parse(JSON.stringify(row).replaceAll('{folder}', folder)));
}
