import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../apps/cli/program.js';
import { exportBundle } from '../../libs/bundle/export.js';
import { sealedLog } from '../support/sealed.js';
import type { TestService } from '../support/service.js';
import type { TestContext } from '../support/testing.js';

export interface Exported {
  readonly text: string;
  /** The key of the log. */
  readonly key: string;
}

export async function bundleOf(
  service: TestService,
  traceId: string,
  content: 'include' | 'omit' = 'include',
  proofs = sealedLog(service.service.stores.log),
): Promise<Exported> {
  const { log, keyring: keys } = service.service.stores;
  const made = await exportBundle({ log, keys, index: service.service.index, proofs }, traceId, content);
  if (!made.ok || made.value === undefined) throw new Error('no bundle');
  let text = '';
  for await (const piece of made.value.pieces) text += piece;
  return { text, key: proofs.key };
}

/** The command line in a folder of its own, without a service. */
export function verifier(t: TestContext) {
  const cwd = mkdtempSync(join(tmpdir(), 'verify-'));
  t.after(() => rmSync(cwd, { recursive: true }));
  return async (text: string, ...args: string[]) => {
    writeFileSync(join(cwd, 'bundle.json'), text);
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
