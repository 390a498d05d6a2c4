import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from '../support/root.js';
import { test } from '../support/testing.js';
import { promtool } from './tools.js';

const run = promisify(execFile);

test("every alert fires once in Prometheus' own rules engine, and none while all is well", async (t) => {
  const tool = await promtool();
  if (tool === undefined) return t.skip('no promtool here');
  const [program, ...first] = tool;
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-alerts-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const rules = join(projectRoot, 'deploy/alerts.yaml');
  copyFileSync(rules, join(folder, 'alerts.yaml'));
  const cases = readFileSync(join(projectRoot, 'test/deploy/alerts.rules.yaml'), 'utf8');
  writeFileSync(join(folder, 'cases.yaml'), cases.replace('../../deploy/', ''));
  const engine = (): Promise<{ stdout: string }> =>
    run(program, [...first, 'test', 'rules', 'cases.yaml'], { cwd: folder });

  assert.match((await run(program, [...first, 'check', 'rules', rules])).stdout, /SUCCESS/);
  assert.match((await engine()).stdout, /SUCCESS/);
  // The engine does judge: a threshold that nothing reaches fails.
  const deaf = readFileSync(rules, 'utf8').replace('sallyport_heartbeat_age_seconds > 2', '$&00');
  writeFileSync(join(folder, 'alerts.yaml'), deaf);
  await assert.rejects(engine(), /SallyportHeartbeatOld/);
});
