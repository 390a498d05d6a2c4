import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's root; tests run compiled, from `dist/test/support`. */
export const projectRoot = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/** Node's flags for the service, as `npm start` gives them. */
export function startFlags(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  const flags = /^exec node (.+) dist\/apps\/pdp\/main\.js$/.exec(scripts['start'] ?? '')?.[1];
  if (flags === undefined) throw new Error('npm start is not what it was');
  return flags.split(' ');
}
