import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { selfSigned } from '../demo/certificate.js';
import { otlpEnvironment } from '../siem/collector.js';
import { projectRoot } from '../support/root.js';
import { startService } from '../support/service.js';
import { before, describe, test } from '../support/testing.js';

/** Alerts and dashboards that ask for a metric that nobody reports stay silent. */

interface Rules {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

const textOf = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');
const rules = (parse(textOf('deploy/alerts.yaml')) as Rules).groups.flatMap((group) => group.rules);
const dashboard = textOf('deploy/grafana/sallyport.json');

/** The names of metrics in a text of PromQL. A histogram reports under three. */
const metricsIn = (text: string): string[] =>
  [...new Set(text.match(/\b(?:sallyport|process|nodejs)_[a-z0-9_]+/g))].map((name) => name.replace(/_bucket$/, ''));

describe('every metric exists', () => {
  let reported: Set<string>;
  let scrape = '';
  before(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-metrics-'));
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const { cert, key } = selfSigned();
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    // No broker and no collector listens there: the lanes still report.
    const env = {
      SALLYPORT_KAFKA_BROKERS: '127.0.0.1:9',
      SALLYPORT_SIEM_FILE: join(folder, 'siem.jsonl'),
      ...otlpEnvironment({ url: 'http://127.0.0.1:9' }),
      SALLYPORT_TLS_CERT: certFile,
      SALLYPORT_TLS_KEY: keyFile,
    };
    const service = await startService({ env, sealing: undefined });
    const text = await service.service.metrics.registry.metrics();
    scrape = text;
    await service.stop();
    rmSync(folder, { recursive: true });
    reported = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? ''));
  });

  test('of the alerts', () => {
    const missing = rules.flatMap(({ alert, expr }) => metricsIn(expr).map((name) => `${alert}: ${name}`));
    assert.deepEqual(
      missing.filter((each) => !reported.has(each.split(': ')[1] ?? '')),
      [],
    );
  });

  test('a counter that an alert watches is there before its first event', () => {
    for (const series of [
      'sallyport_drift_observed_total{severity="authority-change"} 0',
      'sallyport_undecided_total{cause="log_unavailable"} 0',
      'sallyport_decisions_total{decision="deny",reason="internal_error"} 0',
    ])
      assert.ok(scrape.includes(`${series}\n`), series);
  });

  test('of the dashboard', () => {
    const names = metricsIn(dashboard);
    assert.ok(names.length > 30);
    assert.deepEqual(
      names.filter((name) => !reported.has(name)),
      [],
    );
  });
});

test('every alert says how urgent it is, and the manual names it', () => {
  const manual = textOf('docs/operate/monitoring.md');
  for (const { alert, labels, annotations } of rules) {
    assert.match(labels.severity, /^(page|ticket)$/, alert);
    assert.ok(annotations.summary && annotations.description, alert);
    assert.ok(manual.includes(`\`${alert}\``), alert);
  }
});

test('every alert is shown to fire, and to be quiet', () => {
  const shown = parse(textOf('test/deploy/alerts.rules.yaml')) as {
    readonly tests: readonly { readonly alert_rule_test: readonly { alertname: string; exp_alerts: unknown[] }[] }[];
  };
  const cases = shown.tests.flatMap(({ alert_rule_test: each }) => each);
  for (const { alert } of rules) {
    const counts = cases.filter(({ alertname }) => alertname === alert).map(({ exp_alerts: alerts }) => alerts.length);
    assert.deepEqual(counts.toSorted(), [0, 1], alert);
  }
});
