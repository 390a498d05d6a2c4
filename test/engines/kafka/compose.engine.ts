import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parse } from 'yaml';
import { selfSigned } from '../../demo/certificate.js';
import { projectRoot } from '../../support/root.js';
import { startService } from '../../support/service.js';
import { test } from '../../support/testing.js';
import { expecting } from '../../support/world.js';
import { startKafka } from './kafka.js';
import { quietPort } from './ports.js';

const WAIT_MS = 60_000;

/** `KAFKA_SSL_KEYSTORE_TYPE` as Kafka's image writes it into server.properties: `ssl.keystore.type`. */
const propertyOf = (variable: string): string => variable.slice('KAFKA_'.length).toLowerCase().replaceAll('_', '.');

test('a broker with the environment of deploy/compose.yaml takes the events of the service over TLS', async (t) => {
  const { services } = parse(readFileSync(join(projectRoot, 'deploy/compose.yaml'), 'utf8')) as {
    services: { kafka: { environment: Record<string, string> } };
  };
  const { environment } = services.kafka;
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-compose-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [authority, keyStore] = [join(folder, 'cert.pem'), join(folder, 'kafka.pem')];
  const { cert, key } = selfSigned();
  writeFileSync(authority, cert);
  writeFileSync(keyStore, key + cert);
  const address = `127.0.0.1:${await quietPort()}`;

  const kafka = await startKafka({
    replace: (own) => {
      const composed = Object.fromEntries(
        Object.entries(environment).map(([name, value]) => [propertyOf(name), value] as const),
      );
      const local = /^PLAINTEXT:\/\/([^,]+)/.exec(own['listeners'] ?? '')?.[1] ?? '';
      const controller = own['controller.quorum.voters']?.split('@')[1] ?? '';
      // Only addresses, files and folders differ.
      const listeners = (composed['listeners'] ?? '')
        .replace('TLS://:9092', `TLS://${address}`)
        .replace('LOCAL://localhost:9094', `LOCAL://${local}`)
        .replace('CONTROLLER://localhost:9093', `CONTROLLER://${controller}`);
      return {
        ...composed,
        listeners,
        'advertised.listeners': `TLS://${address},LOCAL://${local}`,
        'controller.quorum.voters': `1@${controller}`,
        'ssl.keystore.location': keyStore,
      };
    },
  });
  t.after(() => kafka.stop());
  if (!kafka.owned) return t.skip('not a process of ours');

  const env = { SALLYPORT_KAFKA_BROKERS: address, SALLYPORT_KAFKA_TLS: authority };
  const service = await startService({ env });
  t.after(() => service.stop());
  for (const endMs = performance.now() + WAIT_MS; ; await pause(50)) {
    const { events, directives } = expecting(200, await service.call('nobody', 'GET', '/health/ready')).kafka;
    if (events.lag === 0 && directives.lag === 0) break;
    assert.ok(performance.now() < endMs, JSON.stringify({ events, directives }));
  }
});
