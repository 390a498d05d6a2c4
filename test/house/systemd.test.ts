import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '../support/root.js';
import { textOf } from './files.js';
import { test } from '../support/testing.js';

const UNIT = 'deploy/sallyport.service';
/** As `systemd-analyze security` counts, from 0 to 10. */
const MOST_EXPOSED = 3;

/** The values of a setting of the unit, in order. */
const valuesOf = (name: string): string[] =>
  [...textOf(UNIT).matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value);

test('the unit starts the service again after any end, and reloads it by SIGHUP', () => {
  assert.deepEqual(valuesOf('Restart'), ['always']);
  assert.match(valuesOf('RestartSec').join(), /^[1-9]\d?$/);
  const [unit = ''] = textOf(UNIT).split('[Service]');
  assert.match(unit, /^StartLimitIntervalSec=0$/m);
  assert.deepEqual(valuesOf('ExecReload'), ['/bin/kill -HUP $MAINPID']);
});

const version = Number(/\d+/.exec(spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[0]);
const skip = version >= 250 ? false : 'there is no systemd-analyze that reads a unit offline';

test(`systemd finds the unit less exposed than ${MOST_EXPOSED}`, { skip }, () => {
  const analyze = ['security', '--offline=yes', '--no-pager', join(projectRoot, UNIT)];
  const { stdout, stderr } = spawnSync('systemd-analyze', analyze, { encoding: 'utf8' });
  const exposure = /Overall exposure level for sallyport\.service: ([\d.]+)/.exec(stdout)?.[1];
  assert.ok(exposure !== undefined && Number(exposure) < MOST_EXPOSED, `${exposure}: ${stderr}`);
  assert.doesNotMatch(stderr, /unknown|failed to parse/i);
});
