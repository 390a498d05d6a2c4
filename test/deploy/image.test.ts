import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot, startFlags } from '../support/root.js';
import { startService } from '../support/service.js';
import { describe, test } from '../support/testing.js';

/** Checks of the image that need no Docker. */

const run = promisify(execFile);
const textOf = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');
const dockerfile = textOf('deploy/Dockerfile');

describe('deploy/Dockerfile', () => {
  const [, build = '', final = ''] = dockerfile.split(/^FROM /m);

  test('both stages have the base that .nvmrc names, by its digest', () => {
    const [built, ran] = [build, final].map((stage) => stage.split(/\s/)[0] ?? '');
    assert.match(ran ?? '', new RegExp(`^node:${textOf('.nvmrc').trim()}-slim@sha256:[0-9a-f]{64}$`));
    assert.equal(built, ran);
  });

  test('the service in it is not root, starts as npm start does, and has a health check and labels', () => {
    assert.match(final, /^USER node\nHEALTHCHECK [^]+\nCMD /m);
    assert.match(final, /SALLYPORT_DATA=\/data\b/);
    const started = JSON.parse(/^CMD (.+)$/m.exec(final)?.[1] ?? '') as string[];
    assert.deepEqual(started, ['node', ...startFlags(), 'dist/apps/pdp/main.js']);
    for (const label of ['title', 'version', 'revision', 'licenses']) {
      assert.ok(final.includes(`org.opencontainers.image.${label}=`), label);
    }
  });

  test('the Node of the npm packages stays behind, and the bill of materials comes along', () => {
    assert.match(build, /^ {2}&& npm prune --omit=dev --omit=optional$/m);
    assert.match(final, /^COPY --from=build .*\/build\/sbom\.cdx\.json /m);
  });
});

test('the health check of the image answers by /health/ready', async (t) => {
  const service = await startService();
  t.after(() => service.stop());
  const check = (address: string): Promise<unknown> =>
    run(process.execPath, [join(projectRoot, 'deploy/healthcheck.mjs')], { env: { SALLYPORT_HTTP: address } });
  const { port } = new URL(service.url);
  await check(`127.0.0.1:${port}`);
  await check(`0.0.0.0:${port}`);
  await assert.rejects(check('127.0.0.1:9'), { code: 1 });
});
