import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../support/root.js';
import { place } from './child.js';
import { linkPackages } from './packages.js';
import { test } from '../support/testing.js';

/** The content of the image, made without Docker: the same copies, the same build, the same command. */

const [, BUILD = '', RUN = ''] = readFileSync(join(projectRoot, 'deploy', 'Dockerfile'), 'utf8').split(/^FROM /m);

/** The copies of a stage: from the project, or from the stage before it. */
function copies(stage: string, from: 'project' | 'build'): { what: readonly string[]; to: string }[] {
  const pattern = from === 'build' ? /^COPY --from=build (.+)$/gm : /^COPY (?!--)(.+)$/gm;
  return [...stage.matchAll(pattern)].map(([, words = '']) => {
    const names = words.split(' ');
    return { what: names.slice(0, -1), to: names.at(-1) ?? '' };
  });
}

/** As `COPY` does: several files go into a folder, a folder's content into the one that is named. */
function copy(source: string, target: string, { what, to }: ReturnType<typeof copies>[number]): void {
  for (const name of what) {
    const isInto = to.endsWith('/');
    cpSync(join(source, name), join(target, to, ...(isInto ? [name.split('/').at(-1) ?? ''] : [])), {
      recursive: true,
      preserveTimestamps: true,
      filter: (path) => !/[/\\]node_modules$/.test(path),
    });
  }
}

test('the image builds from what it copies, and what it runs starts without the packages for development', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-image-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [build, run] = [join(folder, 'build'), join(folder, 'run')];
  for (const each of copies(BUILD, 'project')) copy(projectRoot, build, each);
  linkPackages(build, 'all');
  execFileSync(process.execPath, ['scripts/prepare.mjs'], { cwd: build, stdio: 'pipe' });

  // A tool from npm writes it in the image; test/deploy/bill.deploy.ts looks into it.
  writeFileSync(join(build, 'sbom.cdx.json'), '{}');
  const built = copies(RUN, 'build').filter(({ to }) => to !== 'node_modules');
  for (const each of built) copy(folder, run, each);
  for (const each of copies(RUN, 'project')) copy(projectRoot, run, each);
  rmSync(join(run, 'dist', 'test'), { recursive: true });
  linkPackages(run, 'production');
  const [, ...args] = JSON.parse(/^CMD (.+)$/m.exec(RUN)?.[1] ?? '') as string[];
  const service = await place(t).start({ command: [process.execPath, ...args], cwd: run });
  assert.equal((await service.call('auditor', 'GET', '/v1/directives')).status, 200);
});
