import { run } from '../../apps/cli/program.js';
import type { World } from '../../apps/cli/world.js';
import type { Role } from '../../libs/vocabulary/words.js';
import type { TestService } from './service.js';

type Served = Pick<TestService, 'url' | 'tokens' | 'dataDir'>;

/** The command line against a service, as an operator; what it printed comes with the time it took. */
export const cli = (service: Served, ...args: string[]) => cliAs(service, 'operator', ...args);

/** The same in a role. */
export const cliAs = (service: Served, role: Role, ...args: string[]) =>
  cliIn(service, { env: { SALLYPORT_TOKEN: service.tokens[role] } }, ...args);

/** The same in another environment, or at a terminal. */
export async function cliIn(
  service: Served,
  { onPrinted, ...world }: Pick<World, 'env' | 'ask'> & { readonly onPrinted?: (text: string) => void },
  ...args: string[]
) {
  const printed: { text: string; atMs: number }[] = [];
  let err = '';
  const code = await run([...args, '--server', service.url], {
    ...world,
    cwd: service.dataDir,
    out: (text) => {
      printed.push({ text, atMs: performance.now() });
      onPrinted?.(text);
    },
    err: (text) => void (err += text),
    readStdin: () => Promise.reject(new Error('nothing is read')),
  });
  return { code, printed, out: printed.map(({ text }) => text).join(''), err };
}
