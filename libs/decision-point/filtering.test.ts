import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { test } from '../../test/support/testing.js';
import { CURRENT_PACK, packOf } from '../content/detect/packs.js';
import { createSchemaValidator } from '../content/schema/schema-validator.js';
import type { Engines, FilterQuestion } from '../decision/snapshot.js';
import type { JsonObject } from '../kernel/canonical-json.js';
import { digestOf } from '../kernel/digest.js';
import type { AttemptWork } from './attempt.js';
import { INLINE_FILTER_BYTES } from './content-desk.js';
import { filterApart } from './content-jobs.js';
import { filterBy } from './filtering.js';
import { Filtering } from './filtering-apart.js';

/** Small and large requests are filtered by the same rules; a large one never on the deciding thread. */

const schema = {
  type: 'object',
  properties: { to: { type: 'string' }, deep: {}, n: { type: 'number' } },
  required: ['to'],
};
const pack = packOf(CURRENT_PACK) ?? assert.fail();
const validator = createSchemaValidator({ maxCompiled: 5 });

const question = (given: JsonObject): FilterQuestion => ({
  arguments: given,
  context: [],
  labels: [],
  contextLevel: 'confidential',
  flow: [],
  needs: {},
  sensitivity: 'internal',
  schema: digestOf(schema),
});

const texts = ['AKIAIOSFODNN7EXAMPLQ', 'ada@lovelace.org', '4111111111111111'];
const name = fc.constantFrom('to', 'deep', 'extra', ...texts);
const value = fc.oneof(fc.constantFrom(...texts), fc.jsonValue({ maxDepth: 3 }));
const request = fc.dictionary(name, value).map((given) => JSON.parse(JSON.stringify(given)) as JsonObject);

test('another thread gives the same answer', () => {
  const property = fc.property(request, (given) => {
    const asked = question(given);
    const apart = filterApart(
      {
        question: JSON.parse(JSON.stringify(asked)) as FilterQuestion,
        schema: JSON.stringify(schema),
        pack: pack.digest,
      },
      validator,
    );
    assert.deepEqual(
      apart,
      filterBy(asked, pack, validator, () => schema),
    );
  });
  fc.assert(property, { numRuns: 200 });
});

test('large content is asked for once, and its result counts for the same question alone', () => {
  const asked = question({ to: 'x' });
  const engines = { filter: () => assert.fail('filtered on the deciding thread') } as unknown as Engines;
  const work: AttemptWork = {};
  assert.equal(INLINE_FILTER_BYTES, 4096, 'dense content of 16 KiB takes up to a quarter of a second');
  const first = new Filtering(engines, work, INLINE_FILTER_BYTES + 1);
  assert.equal(first.engines.filter(asked).denial?.reason, 'filter_failed', 'not to be used');
  assert.deepEqual(first.step, { kind: 'filter', bytes: INLINE_FILTER_BYTES + 1, question: asked });
  const result = filterBy(asked, pack, validator, () => schema);
  work.filtered = { question: asked, result };
  const second = new Filtering(engines, work, INLINE_FILTER_BYTES + 1);
  assert.equal(second.engines.filter({ ...asked }), result);
  assert.equal(second.step, undefined);
  const other = new Filtering(engines, work, INLINE_FILTER_BYTES + 1);
  other.engines.filter({ ...asked, sensitivity: 'public' });
  assert.ok(other.step, 'the level has changed meanwhile');
});
