import assert from 'node:assert/strict';
import { lintSource } from '@secretlint/core';
import { creator } from '@secretlint/secretlint-rule-preset-recommend';
import { sampleOf, SECRET_FORMATS, seeded } from '../../../test/eval/secret-formats.js';
import { test } from '../../../test/support/testing.js';
import { CURRENT_PACK, packOf } from './packs.js';

/** secretlint as an oracle: the recommended preset of another project finds nothing that the pack misses. */

const pack = packOf(CURRENT_PACK);
assert.ok(pack);

/** The parts of a text that secretlint's recommended preset reports, in UTF-16 units. */
async function reported(content: string): Promise<(readonly [number, number])[]> {
  const { messages } = await lintSource({
    source: { content, filePath: '/x.env', ext: '.env', contentType: 'text' },
    options: { config: { rules: [{ id: '@secretlint/secretlint-rule-preset-recommend', rule: creator }] } },
  });
  return messages.map(({ range: [start, end] }) => [start, end] as const);
}

test('the pack covers all that secretlint reports of each format', async (t) => {
  const missed: string[] = [];
  let count = 0;
  for (const format of SECRET_FORMATS) {
    for (let seed = 0; seed < 3; seed += 1) {
      const sample = sampleOf(format, seeded(seed));
      const spans = pack.detect(sample.text);
      for (const reportedSpan of await reported(sample.text)) {
        // secretlint reports names, schemes and hosts around a secret too.
        const start = Math.max(reportedSpan[0], sample.start);
        const end = Math.min(reportedSpan[1], sample.end);
        count += 1;
        const isCovered = spans.some((span) => span.start <= start && span.end >= end);
        if (!isCovered) missed.push(`${format.template}: ${sample.text.slice(start, end)}`);
      }
    }
  }
  t.diagnostic(`secretlint reports ${count} of ${SECRET_FORMATS.length * 3} samples`);
  assert.ok(count >= 60, 'the oracle itself finds secrets');
  assert.deepEqual(missed, []);
});
