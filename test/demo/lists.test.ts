import assert from 'node:assert/strict';
import { addPrincipal } from '../support/actors.js';
import { cli as operatorCli } from '../support/cli.js';
import { startService, type TestService } from '../support/service.js';
import { expecting } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** `sallyport principals` and `sallyport directives` against a real service. */

let service: TestService;
before(async () => {
  service = await startService();
});
after(() => service.stop());

/** The command line in the role of an admin. */
const adminCli = (...args: string[]) =>
  operatorCli({ ...service, tokens: { ...service.tokens, operator: service.tokens.admin } }, ...args);

test('principals are listed with their roles and who added or removed them', async () => {
  const [here, gone] = [
    await addPrincipal(service, ['host'], { agents: ['a'] }),
    await addPrincipal(service, ['auditor']),
  ];
  expecting(204, await service.call('admin', 'DELETE', `/v1/principals/${gone.name}`));
  for (const words of [['principals'], ['principal', 'list']]) {
    const { out, err } = await adminCli(...words);
    assert.match(out, new RegExp(`^${here.name} +active +host +added .* by local-admin  \\{"agents"`, 'm'), err);
    assert.ok(!out.includes(gone.name));
  }
  const removed = (await adminCli('principals', '--state', 'removed')).out;
  assert.match(
    removed,
    new RegExp(`^${gone.name} +removed +auditor +added .* by local-admin  removed .* by local-admin`, 'm'),
  );
  assert.ok(!removed.includes(here.name));
  assert.doesNotMatch((await adminCli('principals', '--state', 'all', '--json')).out, /sallyport_|sha256:/);
});

test('directives are listed by state, with the end of those that were lifted', async () => {
  const disable = ['disable', 'category:x', '--ahead', '--reason'];
  const issued = JSON.parse((await operatorCli(service, ...disable, 'INC-1', '--json')).out) as { id: string };
  assert.equal((await operatorCli(service, 'lift', issued.id, '--reason', 'INC-1 is closed')).code, 0);
  assert.equal((await operatorCli(service, ...disable, 'INC-2')).code, 0);
  const lifted = (await operatorCli(service, 'directives', '--state', 'lifted')).out;
  assert.match(
    lifted,
    /lifted +category:x +since .* by local-operator: INC-1; lifted .* by local-operator: INC-1 is closed/,
  );
  assert.doesNotMatch(lifted, /INC-2/);
  assert.match(
    (await operatorCli(service, 'directives', '--state', 'all')).out,
    /active +category:x .*INC-2\n.*lifted/,
  );
  assert.match((await operatorCli(service, 'directives')).out, /epoch 3: 1 active/);
  assert.equal((await operatorCli(service, 'directives', '--state', 'gone')).code, 2);
});
