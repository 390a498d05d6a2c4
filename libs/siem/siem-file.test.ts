import assert from 'node:assert/strict';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from '../../test/support/testing.js';
import { KEPT_FILES, SiemFile } from './siem-file.js';

function place(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-siem-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'events.jsonl');
}

const textOf = (path: string): string => readFileSync(path, 'utf8');

test('lines are appended to a file of its owner alone, also if it was open to others', (t) => {
  const path = place(t);
  const file = new SiemFile(path, '');
  file.append(['one\n', 'two\n']);
  file.sync();
  assert.equal(statSync(path).mode & 0o777, 0o600);
  file.close();
  writeFileSync(path, 'zero\n', { mode: 0o644 });
  const other = new SiemFile(path, '');
  other.append(['three\n']);
  other.close();
  assert.equal(textOf(path), 'zero\nthree\n');
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a full file is rotated before the next line, and eight are kept', (t) => {
  const path = place(t);
  const file = new SiemFile(path, '', 20);
  const lines = Array.from({ length: 24 }, (_, at) => `line ${String(at).padStart(2, '0')}\n`);
  file.append(lines.slice(0, 5));
  file.append(lines.slice(5));
  file.close();
  assert.equal(textOf(path), lines.slice(22).join(''));
  for (let age = 1; age <= KEPT_FILES; age += 1) {
    assert.equal(textOf(`${path}.${age}`), lines.slice(22 - 2 * age, 24 - 2 * age).join(''));
    assert.equal(statSync(`${path}.${age}`).mode & 0o777, 0o600);
  }
  assert.ok(!existsSync(`${path}.${KEPT_FILES + 1}`));
});

test('a line that is larger than a file is a file by itself', (t) => {
  const path = place(t);
  const file = new SiemFile(path, '', 10);
  file.append(['short\n', `${'x'.repeat(50)}\n`, 'last\n']);
  file.close();
  assert.deepEqual([textOf(`${path}.2`), textOf(`${path}.1`).length, textOf(path)], ['short\n', 51, 'last\n']);
});

test('a line without an end, of a process that was killed, is cut off', (t) => {
  const path = place(t);
  for (const [before, kept] of [
    ['whole\ntorn', 'whole\n'],
    ['torn', ''],
    [`whole\n${'x'.repeat(200_000)}`, 'whole\n'],
    ['', ''],
  ] as const) {
    writeFileSync(path, before);
    const file = new SiemFile(path, '');
    file.append(['next\n']);
    file.close();
    assert.equal(textOf(path), `${kept}next\n`);
  }
});

test('a file of others is refused and left as it is, a torn first line of ours is not', (t) => {
  const path = place(t);
  const begin = '{"id":';
  for (const foreign of ['settings: 1\nunfinished', '{"other":1}', '\n', '{"i\n']) {
    writeFileSync(path, foreign, { mode: 0o644 });
    assert.throws(() => new SiemFile(path, begin).append([`${begin}1}\n`]), { name: 'FOREIGN_FILE' });
    assert.deepEqual([textOf(path), statSync(path).mode & 0o777], [foreign, 0o644]);
    rmSync(path);
  }
  for (const torn of ['', '{', begin, `${begin}12`]) {
    writeFileSync(path, torn);
    const file = new SiemFile(path, begin);
    file.append([`${begin}1}\n`]);
    file.close();
    assert.equal(textOf(path), `${begin}1}\n`);
  }
});

test('a file that another program moved away or removed is made again', (t) => {
  const path = place(t);
  const file = new SiemFile(path, '');
  file.append(['one\n']);
  renameSync(path, `${path}.moved`);
  file.append(['two\n']);
  rmSync(path);
  file.append(['three\n']);
  file.close();
  assert.deepEqual([textOf(`${path}.moved`), textOf(path)], ['one\n', 'three\n']);
});

test('a missing folder and a path that is no file are told, and tried again', (t) => {
  const path = place(t);
  assert.throws(() => new SiemFile(join(path, 'sub', 'file'), '').append(['one\n']), { code: 'ENOENT' });
  assert.throws(() => new SiemFile('/dev/full', '').append(['one\n']), { name: 'NO_REGULAR_FILE' });
  symlinkSync('/dev/full', path);
  const file = new SiemFile(path, '');
  assert.throws(() => file.append(['one\n']), { name: 'NO_REGULAR_FILE' });
  rmSync(path);
  file.append(['one\n']);
  file.close();
  assert.equal(textOf(path), 'one\n');
});
