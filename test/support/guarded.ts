import { join } from 'node:path';
import { openServer } from '../../apps/cli/capture/observe.js';
import { registrationOf, type Registration } from '../../apps/cli/capture/registration.js';
import { findProvenance } from '../../apps/cli/provenance/provenance.js';
import { connectHost, type Host, type HostOptions } from '../../libs/host/index.js';
import { projectRoot } from './root.js';
import { startService, type Answered, type TestService } from './service.js';
import { activatePolicy, approve, expecting } from './world.js';
import { after } from './testing.js';

export const EVERYTHING = join(projectRoot, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');

/** A real MCP server as `sallyport capture` sees it, registered and approved, with a policy that allows everything. */
export async function registeredServer(
  service: TestService,
  id: string,
  command: readonly string[],
  quarantine?: Parameters<typeof approve>[4],
): Promise<Registration> {
  const target = { command, env: [] };
  const opened = await openServer(target, { protocol: 'auto', clientCapabilities: {}, timeoutMs: 20_000 });
  const place = { cwd: projectRoot, env: process.env };
  const found = await findProvenance(command, place, opened.processes());
  await opened.close();
  const given = { id, kind: 'mcp-server', category: 'tests', owner: 'team-tests', sensitivity: 'internal' } as const;
  const { registration } = registrationOf(target, opened.observation, found, given);
  expecting(201, await service.call('registrar', 'POST', '/v1/capabilities', registration));
  await approve(service, id, registration.version.version, undefined, quarantine);
  await activatePolicy(service);
  return registration;
}

/** A host of a service within the test. */
export function hostOf(service: TestService, options: Partial<HostOptions> = {}): Promise<Host> {
  return connectHost({ url: service.url, token: service.tokens.host, ...options });
}

export const scopeOf = (capability: string, more: Answered = { effects: ['read', 'write', 'send', 'modify'] }) => ({
  agent: 'assistant',
  user: { id: 'ada', roles: ['staff'] },
  purpose: 'test',
  scope: [{ capability, ...more }],
});

/** For the tests of a file: a service whose policy allows everything, and a host of it. Both are gone after them. */
export async function hostedService(): Promise<{ service: TestService; host: Host }> {
  const service = await startService();
  await activatePolicy(service);
  const host = await hostOf(service);
  after(async () => {
    await host.close();
    await service.stop();
  });
  return { service, host };
}
