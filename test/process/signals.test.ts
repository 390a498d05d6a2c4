import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { VERSION } from '../../libs/kernel/version.js';
import { ended, jsonLines, place, until, type Program } from './child.js';
import { test } from '../support/testing.js';

const EXIT_0 = { code: 0, signal: null };

const messages = (program: Program): string[] => jsonLines(program).map(({ msg }) => msg);
const said = (program: Program, text: string, times = 1) =>
  until(program, () => (messages(program).filter((msg) => msg.startsWith(text)).length >= times ? true : undefined));

/**
 * Has Node send signals to itself while it loads the service, after the entry and its handlers.
 */
const duringLoad = (...signals: NodeJS.Signals[]): Record<string, string> => {
  const script = `
    import { registerHooks } from 'node:module';
    let sent = false;
    registerHooks({
      resolve(specifier, context, next) {
        if (!sent && specifier.endsWith('/service.js')) {
          sent = true;
          for (const signal of ${JSON.stringify(signals)}) process.kill(process.pid, signal);
        }
        return next(specifier, context);
      },
    });`;
  return { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(script)}` };
};

test('SIGTERM while the modules are loaded ends the process with 0, and nothing is made', async (t) => {
  const { dataDir, launch } = place(t);
  const program = launch({ env: duringLoad('SIGTERM') });
  assert.deepEqual(await ended(program), EXIT_0);
  assert.deepEqual([program.stdout(), program.stderr(), readdirSync(dataDir)], ['', '', []]);
});

test('SIGHUP, SIGQUIT and SIGUSR2 while the modules are loaded do no harm', async (t) => {
  const service = await place(t).start({ env: duringLoad('SIGHUP', 'SIGQUIT', 'SIGUSR2') });
  service.kill('SIGTERM');
  assert.deepEqual(await ended(service), EXIT_0);
  assert.equal(service.stderr(), '');
});

test('SIGQUIT and SIGUSR2 do nothing but say so once, and SIGHUP says what it read', async (t) => {
  const service = await place(t).start();
  for (const signal of ['SIGQUIT', 'SIGUSR2'] as const) service.kill(signal);
  await said(service, 'ignored', 2);
  for (const signal of ['SIGQUIT', 'SIGUSR2', 'SIGHUP'] as const) service.kill(signal);
  await said(service, 'no file has changed');
  assert.equal((await service.call('operator', 'GET', '/v1/directives')).status, 200);
  service.kill('SIGTERM');
  assert.deepEqual(await ended(service), EXIT_0);
  assert.equal(service.stderr(), '');
  const ignored = jsonLines(service).filter(({ msg }) => msg.startsWith('ignored'));
  assert.deepEqual(ignored.map(({ signal }) => signal).sort(), ['SIGQUIT', 'SIGUSR2']);
});

test('each line names its level as a word, the service, its version and its process', async (t) => {
  const service = await place(t).start({ env: { SALLYPORT_HTTP: 'localhost:0', SALLYPORT_GRPC: 'localhost:0' } });
  service.kill('SIGTERM');
  assert.deepEqual(await ended(service), EXIT_0);
  const lines = jsonLines(service);
  for (const { level, service: name, version, pid } of lines) {
    assert.deepEqual([level, name, version, pid], ['info', 'sallyport', VERSION, service.pid]);
  }
  assert.deepEqual(lines.map(({ msg }) => msg).slice(-3), ['ready', 'stopping', 'stopped']);
  const ready = lines.find(({ msg }) => msg === 'ready');
  // As bound: numbers, and not the name and the port 0 of the settings.
  for (const name of ['http', 'grpc', 'metrics'])
    assert.match(String(ready?.[name]), /^(127\.0\.0\.1|\[::1\]):[1-9]\d+$/, name);
});
