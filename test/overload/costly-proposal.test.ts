import assert from 'node:assert/strict';
import { performance, monitorEventLoopDelay } from 'node:perf_hooks';
import { startService } from '../support/service.js';
import { expecting, proposal, registration } from '../support/world.js';
import { test } from '../support/testing.js';

/** A server whose schemas are costly to vet: 4,000 patterns in a third of a megabyte. */
const TOOLS = 400;
const PATTERNS = 10;

function costlySchemas() {
  const tools = Array.from({ length: TOOLS }, (_, tool) => ({
    name: `t${tool}`,
    inputSchema: {
      type: 'object',
      properties: Object.fromEntries(
        Array.from({ length: PATTERNS }, (_each, at) => [
          `p${at}`,
          { type: 'string', pattern: `^(a|b|ab)*[^x]{0,900}(?:c|d){1,50}y${tool}_${at}$` },
        ]),
      ),
    },
  }));
  const version = proposal('1.0.0', { definition: { tools } });
  version.manifest.operations = Object.fromEntries(tools.map(({ name }) => [name, { effects: ['read'] }]));
  return version;
}

test('a proposal whose schemas take seconds to vet holds up nobody', { timeoutMs: 120_000 }, async (t) => {
  const service = await startService({ env: { SALLYPORT_VALIDATION_MS: '30000' } });
  t.after(() => service.stop());
  const body = registration('costly', costlySchemas());
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const startedMs = performance.now();
  const answer = await service.call('registrar', 'POST', '/v1/capabilities', body);
  const tookMs = performance.now() - startedMs;
  delay.disable();
  assert.deepEqual(expecting(201, answer).id, 'costly');
  const heldUpMs = delay.max / 1e6;
  // The service is in this process. A machine that is busy with other things holds up both alike.
  assert.ok(heldUpMs < tookMs / 4, `${heldUpMs} of ${tookMs} ms`);
});

test('a proposal whose schemas take longer to vet than they may is refused', { timeoutMs: 120_000 }, async (t) => {
  const service = await startService({ env: { SALLYPORT_VALIDATION_MS: '300' } });
  t.after(() => service.stop());
  const answer = await service.call('registrar', 'POST', '/v1/capabilities', registration('costly', costlySchemas()));
  assert.deepEqual([answer.status, answer.body.code], [400, 'malformed_request']);
  expecting(201, await service.call('registrar', 'POST', '/v1/capabilities', registration('plain')));
});
