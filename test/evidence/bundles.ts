import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../apps/cli/program.js';
import { exportBundle } from '../../libs/bundle/export.js';
import { sealedLog } from '../support/sealed.js';
import type { TestService } from '../support/service.js';
import { expecting } from '../support/world.js';
import type { TestContext } from '../support/testing.js';

export interface Exported {
  readonly text: string;
  /** The answer of `/.well-known/sallyport-log`. */
  readonly key: string;
}

/** A bundle as an auditor downloads it, and the key as the service publishes it. */
export async function bundleOf(service: TestService, traceId: string, query = ''): Promise<Exported> {
  const headers = { authorization: `Bearer ${service.tokens.auditor}` };
  const answer = await fetch(`${service.url}/v1/audit/traces/${traceId}/bundle${query}`, { headers });
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-disposition') ?? '', /^attachment/);
  assert.equal(answer.headers.get('sallyport-unsealed-events'), '0');
  const text = await answer.text();
  const published = expecting(200, await service.call('nobody', 'GET', '/.well-known/sallyport-log'));
  return { text, key: JSON.stringify(published) };
}

/** The same trace in a log of somebody else, with a key of their own. */
export async function foreignBundle(service: TestService, traceId: string): Promise<string> {
  const { log, keyring: keys } = service.service.stores;
  const proofs = sealedLog(log);
  const made = await exportBundle({ log, keys, index: service.service.index, proofs }, traceId, 'include');
  if (!made.ok || made.value === undefined) throw new Error('no bundle');
  let text = '';
  for await (const piece of made.value.pieces) text += piece;
  return text;
}

/** The command line in a folder of its own, without a service. */
export function verifier(t: TestContext) {
  const cwd = mkdtempSync(join(tmpdir(), 'verify-'));
  t.after(() => rmSync(cwd, { recursive: true }));
  return async (text: string, key?: string, ...more: string[]) => {
    writeFileSync(join(cwd, 'bundle.json'), text);
    if (key !== undefined) writeFileSync(join(cwd, 'log-key.json'), key);
    const args = key === undefined ? more : ['--key', 'log-key.json', ...more];
    let [out, err] = ['', ''];
    const code = await run(['verify', 'bundle.json', ...args], {
      env: {},
      cwd,
      out: (piece) => void (out += piece),
      err: (piece) => void (err += piece),
      readStdin: () => Promise.resolve(text),
    });
    return { code, out, err, first: out.split('\n')[0] ?? '' };
  };
}
