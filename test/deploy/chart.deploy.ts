import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { installed } from '../servers/install.js';
import { projectRoot } from '../support/root.js';
import { before, describe, test } from '../support/testing.js';
import { helm, type Tool } from './tools.js';

const run = promisify(execFile);
const CHART = join(projectRoot, 'deploy/helm');
const KUBERNETES = '1.37.0';
const VALIDATOR = {
  registry: 'pypi',
  name: 'kubernetes-validate',
  version: '1.37.0',
  bin: 'kubernetes-validate',
} as const;
const TLS = ['--set', 'tls.existingSecret=tls'];
/** Everything that can be turned on. */
const ALL = [
  ...TLS,
  '--set=kafka.brokers=kafka-0:9093\\,kafka-1:9093',
  '--set=kafka.tls=secret',
  '--set=kafka.sasl=scram-sha-512',
  '--set=kafka.user=u',
  '--set=kafka.existingSecret=kafka',
  '--set=metrics.serviceMonitor.enabled=true',
  '--set=metrics.prometheusRule.enabled=true',
  '--set=persistence.storageClass=fast',
  '--set-string=settings.SALLYPORT_LEASE_MS=4000',
  '--set-json=networkPolicy.egress=[{"ports":[{"port":9093,"protocol":"TCP"}]}]',
];

describe('helm', () => {
  let tool: Tool | undefined;
  before(async () => {
    tool = await helm();
  });
  const ask = async (...args: string[]): Promise<string> => {
    const [program, ...first] = tool ?? ['helm'];
    return (await run(program, [...first, ...args], { maxBuffer: 8 * 1024 * 1024 })).stdout;
  };
  const rendered = (...values: string[]): Promise<string> =>
    ask('template', 'sallyport', CHART, '--kube-version', KUBERNETES, ...values);

  test('the chart passes lint', async (t) => {
    if (tool === undefined) return t.skip('no helm here');
    assert.match(await ask('lint', '--strict', CHART, ...TLS), /0 chart\(s\) failed/);
  });

  test('what it renders is valid for Kubernetes, strictly', async (t) => {
    if (tool === undefined) return t.skip('no helm here');
    const validator = await installed(VALIDATOR);
    if (typeof validator !== 'string') return t.skip(validator.unavailable);
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-chart-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    for (const values of [TLS, ALL]) {
      const documents = parseAllDocuments(await rendered(...values));
      // The resources of the Prometheus operator have no schema of Kubernetes.
      const known = documents.filter((each) => !String(each.get('apiVersion')).startsWith('monitoring.coreos.com/'));
      assert.ok(known.length >= 6);
      const file = join(folder, 'rendered.yaml');
      writeFileSync(file, known.map((each) => `---\n${String(each).replace(/^---\n/, '')}`).join(''));
      await run(validator, ['--strict', file]);
    }
  });

  test('it renders the alerts of deploy/alerts.yaml, one process, and no secret of its own', async (t) => {
    if (tool === undefined) return t.skip('no helm here');
    const documents = parseAllDocuments(await rendered(...ALL)).map(
      (each) => each.toJS() as { kind: string; spec: { replicas?: number; groups?: { rules: unknown[] }[] } },
    );
    const of = (kind: string): typeof documents => documents.filter((each) => each.kind === kind);
    assert.ok((of('PrometheusRule')[0]?.spec.groups?.[0]?.rules.length ?? 0) > 10);
    assert.equal(of('StatefulSet')[0]?.spec.replicas, 1);
    assert.deepEqual(of('Secret'), []);
    for (const kind of ['ServiceMonitor', 'PodDisruptionBudget', 'NetworkPolicy']) assert.equal(of(kind).length, 1);
  });

  test('wrong values and a missing certificate are refused in words', async (t) => {
    if (tool === undefined) return t.skip('no helm here');
    await assert.rejects(rendered(), /tls\.existingSecret is required/);
    await assert.rejects(rendered(...TLS, '--set', 'image.tga=x'), /additional properties 'tga' not allowed/);
    await assert.rejects(rendered(...TLS, '--set', 'settings.SALLYPORT_DATA=x'), /invalid propertyName/);
    await assert.rejects(rendered(...TLS, '--set', 'kafka.sasl=plain'), /kafka/);
  });
});
