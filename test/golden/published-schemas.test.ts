import assert from 'node:assert/strict';
import { publishedSchemas } from '../../libs/published/schemas.js';
import { test } from '../support/testing.js';
import { namesIn, readJson } from './files.js';

/**
 * The schema of each published event, by type and version. A file is never changed: stores hold records of that shape.
 * Another shape is another version of the event.
 */
test('every published schema is the one that its version has had from the beginning', () => {
  const now = new Map(publishedSchemas().map(({ name, schema }) => [`${name}.json`, schema]));
  const files = namesIn('published');
  for (const [name, schema] of now) {
    assert.ok(files.includes(name), `${name} is missing: npm run golden:events`);
    assert.deepEqual(schema, readJson('published', name), `${name}: a change needs a new version of the event`);
  }
});
