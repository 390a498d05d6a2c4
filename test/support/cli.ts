import { run } from '../../apps/cli/program.js';
import type { TestService } from './service.js';

/** The command line against a service, as an operator; what it printed comes with the time it took. */
export async function cli(service: Pick<TestService, 'url' | 'tokens' | 'dataDir'>, ...args: string[]) {
  const printed: { text: string; atMs: number }[] = [];
  let err = '';
  const code = await run([...args, '--server', service.url], {
    env: { SALLYPORT_TOKEN: service.tokens.operator },
    cwd: service.dataDir,
    out: (text) => void printed.push({ text, atMs: performance.now() }),
    err: (text) => void (err += text),
    readStdin: () => Promise.reject(new Error('nothing is read')),
  });
  return { code, printed, out: printed.map(({ text }) => text).join(''), err };
}
