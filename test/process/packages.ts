import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { projectRoot } from '../support/root.js';

/**
 * Gives a folder a `node_modules` of links to our packages, one by one, so that an install could at worst take the links
 * away. `production` leaves out what is there for development alone, as `npm prune --omit=dev` does.
 */
export function linkPackages(folder: string, which: 'all' | 'production'): void {
  const { packages } = JSON.parse(readFileSync(join(projectRoot, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
  };
  const wanted = Object.entries(packages)
    .filter(([path, { dev }]) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) && (which === 'all' || dev !== true))
    .map(([path]) => path);
  for (const path of [...wanted, 'node_modules/.bin']) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    symlinkSync(join(projectRoot, path), join(folder, path));
  }
  // Newer than what is asked for: nothing is to be installed.
  writeFileSync(join(folder, 'node_modules', '.package-lock.json'), '');
}
