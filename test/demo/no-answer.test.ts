import assert from 'node:assert/strict';
import { createServer as createPlainServer, type Server } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { run } from '../../apps/cli/program.js';
import { test, type TestContext } from '../support/testing.js';
import { selfSigned } from './certificate.js';

/** The stumbles of an operator with addresses, certificates and folders: each error names the next step. */

async function portOf(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function errorOf(args: readonly string[], env: Record<string, string>, cwd = '.') {
  let err = '';
  const code = await run(args, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    cwd,
    out: () => undefined,
    err: (text) => void (err += text),
    readStdin: async () => '',
  });
  return { code, err };
}

const directives = (url: string) => errorOf(['directives', '--server', url], { SALLYPORT_TOKEN: 'x' });

test('the command line names the scheme that the port needs', async (t) => {
  const secure = await portOf(t, createServer(selfSigned()));
  const plain = await portOf(t, createPlainServer());
  const closed = await directives(`http://127.0.0.1:${secure}`);
  assert.equal(closed.code, 3);
  assert.match(closed.err, new RegExp(`If that port has TLS, use https://127\\.0\\.0\\.1:${secure}\\.`));
  assert.match(
    (await directives(`https://127.0.0.1:${plain}`)).err,
    new RegExp(`use http://127\\.0\\.0\\.1:${plain}\\.`),
  );
});

test('a certificate of an own issuer names the setting of Node', async (t) => {
  const secure = await portOf(t, createServer(selfSigned()));
  const { code, err } = await directives(`https://127.0.0.1:${secure}`);
  assert.equal(code, 3);
  assert.match(err, /SELF_SIGNED_CERT.*NODE_EXTRA_CA_CERTS/);
  assert.doesNotMatch(err, /Is it running/);
});

test('a backup without a log names the setting of the data folder', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-no-log-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { code, err } = await errorOf(['backup', join(folder, 'b')], {}, folder);
  assert.equal(code, 1);
  assert.match(err, /^sallyport: there is no log at .*: set SALLYPORT_DATA to the data folder of the service\n$/);
  assert.deepEqual(readdirSync(folder), []);
});
