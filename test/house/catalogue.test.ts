import assert from 'node:assert/strict';
import { SENTENCES } from '../../apps/cli/sentences.js';
import { timelineRows } from '../../apps/cli/report/timeline.js';
import { BULK_CATEGORIES } from '../../libs/event-log/bulk.js';
import type { Event } from '../../libs/event-log/event.js';
import { canonicalJson } from '../../libs/kernel/canonical-json.js';
import { families, familyOf } from '../../libs/streams/catalogue.js';
import { versionOf, writtenVersionOf } from '../../libs/streams/event-types.js';
import type { StreamFamily } from '../../libs/streams/family.js';
import { namesIn, readJson } from '../golden/files.js';
import { textOf, tracked } from './files.js';
import { test } from '../support/testing.js';

/** Whatever lists streams or event types agrees with the catalogue: golden files, timeline, documents, stores. */

const all: readonly (readonly [string, StreamFamily])[] = Object.entries(families);
const types = all.flatMap(([, family]) =>
  Object.entries(family.types).map(([type, known]) => ({ family, type, known })),
);
const golden = namesIn('events').map((name) => readJson<Event>('events', name));

test('every entry is named after its category, and no event type is in two of them', () => {
  for (const [name, family] of all) assert.equal(family.category, name);
  assert.equal(new Set(types.map(({ type }) => type)).size, types.length);
});

test('every version of every event type has its golden file, and every golden file its type', () => {
  const expected = types.flatMap(({ type, known }) =>
    Array.from({ length: writtenVersionOf(known) }, (_, older) => `${type}.v${older + 1}.json`),
  );
  assert.deepEqual(namesIn('events'), expected.sort());
});

test('every golden event is read through the catalogue, at the version of today', () => {
  for (const event of golden) {
    const family = familyOf(event.stream);
    const read = family?.readWhole(canonicalJson(event));
    assert.ok(read?.ok, event.type);
    const type = family?.types[event.type];
    assert.equal(read.value.schemaVersion, type && versionOf(type), event.type);
  }
});

test('the timeline of the command line has a sentence for every event type, and for no other', () => {
  assert.deepEqual(Object.keys(SENTENCES).sort(), types.map(({ type }) => type).sort());
  for (const event of golden) {
    const [, [, , , sentence = ''] = []] = timelineRows([event as never], [], []);
    assert.notEqual(sentence, '', event.type);
    assert.doesNotMatch(sentence, /undefined|null|\[object/, event.type);
  }
});

const streamsOf = ({ category, description: { id } }: StreamFamily) =>
  id === undefined ? category : `${category}-<${id}>`;

test('docs/architecture/streams.md has the table of the catalogue', () => {
  const rows = all.map(([, family]) => {
    const { role, writers } = family.description;
    return `| \`${streamsOf(family)}\` | ${role} | ${writers.map((room) => `\`libs/${room}\``).join(', ')} |`;
  });
  const lines = textOf('docs/architecture/streams.md').split('\n');
  assert.deepEqual(
    lines.filter((line) => line.startsWith('| `')),
    rows,
  );
});

test('every writer is a room that seals facts', () => {
  const sealing = tracked('.ts').filter((path) => textOf(path).includes('/streams/facts.js'));
  for (const [name, { description }] of all) {
    assert.ok(description.writers.length > 0, name);
    for (const room of description.writers)
      assert.ok(
        sealing.some((path) => path.startsWith(`libs/${room}/`)),
        room,
      );
  }
});

test('stores keep evidence apart as bulk, and nothing that decisions rest on', () => {
  const roles = new Map(all.map(([name, { role }]) => [name, role]));
  for (const category of BULK_CATEGORIES) assert.equal(roles.get(category), 'evidence');
});
