import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isJsonObject, ownValue, type Json } from '../../libs/kernel/canonical-json.js';
import { isLoopback } from '../../libs/kernel/loopback.js';
import type { Role } from '../../libs/vocabulary/words.js';
import type { ClientOptions } from './client.js';
import { UsageError, type World } from './world.js';

export const DEFAULT_SERVER = 'http://127.0.0.1:7070';

export interface ConnectionOptions {
  readonly server?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly plainHttp?: boolean | undefined;
}

/** The service and the token of a role. A token comes from a file or the environment, never from the command line. */
export function serviceFor(world: World, options: ConnectionOptions, role: Role): ClientOptions {
  const server = serverUrl(options.server ?? world.env['SALLYPORT_URL'] ?? serverOf(world.env) ?? DEFAULT_SERVER);
  if (server.protocol === 'http:' && !isLoopback(server.hostname) && options.plainHttp !== true) {
    throw new UsageError(
      `a token would travel unencrypted to ${server.host}: use https, or --plain-http in a closed network`,
    );
  }
  return { server, token: tokenFor(world, options.tokenFile, server, role) };
}

/** The address of the service that these settings start: `SALLYPORT_HTTP`, over TLS if there is a certificate. */
function serverOf({ SALLYPORT_HTTP, SALLYPORT_TLS_CERT }: NodeJS.ProcessEnv): string | undefined {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(SALLYPORT_HTTP ?? '') ?? [];
  if (host === undefined || port === undefined) return undefined;
  const reached = host === '0.0.0.0' ? '127.0.0.1' : host === '[::]' ? '[::1]' : host;
  return `${SALLYPORT_TLS_CERT === undefined ? 'http' : 'https'}://${reached}:${port}`;
}

function serverUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw new UsageError('--server needs an http or https URL');
  if (url.username !== '' || url.password !== '') throw new UsageError('--server must not hold a user or a password');
  return url;
}

function tokenFor(world: World, tokenFile: string | undefined, server: URL, role: Role): string {
  if (tokenFile !== undefined) {
    const token = tokenIn(resolve(world.cwd, tokenFile), role);
    if (token !== undefined) return token;
    throw new UsageError(`--token-file: no token for the role ${role} in ${tokenFile}`);
  }
  const own = world.env['SALLYPORT_TOKEN'];
  if (own !== undefined && own !== '') return own;
  // Tokens of the local service are for that service: they are never sent to another machine.
  const file = join(resolve(world.cwd, world.env['SALLYPORT_DATA'] ?? 'data'), 'tokens.json');
  const token = isLoopback(server.hostname) ? tokenIn(file, role) : undefined;
  if (token !== undefined) return token;
  const where = isLoopback(server.hostname) ? `, and ${file} has none for the role ${role}` : '';
  throw new UsageError(`no token: set SALLYPORT_TOKEN or give --token-file${where}`);
}

/** The token in a file: the file's one line, or the role's member if the file is a `tokens.json`. */
function tokenIn(file: string, role: Role): string | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
  if (!text.startsWith('{')) return /^\S+$/.test(text) ? text : undefined;
  try {
    const tokens = JSON.parse(text) as Json;
    const token = isJsonObject(tokens) ? ownValue(tokens, role) : undefined;
    return typeof token === 'string' && token !== '' ? token : undefined;
  } catch {
    return undefined;
  }
}
