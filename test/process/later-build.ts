import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOf } from '../../libs/kernel/digest.js';
import { projectRoot } from '../support/root.js';
import type { Answered } from '../support/service.js';
import type { TestContext } from '../support/testing.js';
import { linkPackages } from './packages.js';

/** The data files of a rule pack, by their names, as a test changes them. */
export interface PackFiles {
  readonly secrets: Answered;
  readonly pii: Answered;
  readonly instructions: Answered;
  readonly model: Answered;
}

/**
 * A copy of this build that has one rule pack more, as a later release will. `change` makes it from the newest one.
 * Returns the folder, from which it starts as this build starts from its own.
 */
export function laterBuild(t: Pick<TestContext, 'after'>, change: (files: PackFiles) => void): string {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-later-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const part of ['dist/apps', 'dist/libs', 'proto', 'package.json'])
    cpSync(join(projectRoot, part), join(folder, part), { recursive: true });
  linkPackages(folder, 'production');
  const packs = join(folder, 'dist', 'libs', 'content', 'packs');
  cpSync(join(packs, '1'), join(packs, '2'), { recursive: true });
  const read = (name: string): Answered => JSON.parse(readFileSync(join(packs, '2', `${name}.json`), 'utf8'));
  const [secrets, pii] = [read('secrets'), read('pii')];
  const files: PackFiles = { secrets, pii, instructions: read('instructions'), model: read('model') };
  change(files);
  const manifest = { ...read('pack'), number: 2, files: { secrets: digestOf(secrets), pii: digestOf(pii) } };
  for (const [name, data] of Object.entries({ ...files, pack: manifest }))
    writeFileSync(join(packs, '2', `${name}.json`), JSON.stringify(data));
  // A release names the newest instructions in its source.
  const released = join(folder, 'dist', 'libs', 'content', 'instructions', 'released.js');
  writeFileSync(released, readFileSync(released, 'utf8').replace('const CURRENT = 1;', 'const CURRENT = 2;'));
  return folder;
}
