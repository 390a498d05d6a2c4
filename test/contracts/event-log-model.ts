import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Violation } from '../../libs/event-log/port.js';
import type { MakeLog } from './log-under-test.js';
import { batch, dataOf, write } from './facts.js';
import { test } from '../support/testing.js';

/** One step: writes some streams at an expectation that is off by `skew`, and checks others likewise. */
interface Step {
  readonly touches: readonly { readonly stream: string; readonly events: number; readonly skew: number }[];
  /** Sends an earlier batch again instead of a new one. */
  readonly repeat: number | undefined;
}

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    touches: fc.uniqueArray(
      fc.record({
        stream: fc.constantFrom('directives', 'capability-a', 'task-a', 'calls-a', 'calls-b'),
        events: fc.integer({ min: 0, max: 3 }),
        skew: fc.constantFrom(0, 0, 0, 0, 0, 1, -1),
      }),
      { selector: ({ stream }) => stream, minLength: 1, maxLength: 4 },
    ),
    repeat: fc.option(fc.nat(20), { nil: undefined, freq: 4 }),
  }),
  { maxLength: 25 },
);

/** Compares random batches with the simplest log there is: a map of arrays. */
export function model(makeLog: MakeLog): void {
  test('answers as a map of arrays would', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (script) => {
        const { log, dispose } = await makeLog();
        try {
          const streams = new Map<string, unknown[]>();
          const sent: { readonly batch: ReturnType<typeof batch>; readonly stored: boolean }[] = [];
          const headOf = (stream: string) => streams.get(stream)?.length ?? 0;
          let serial = 0;

          for (const { touches, repeat } of script) {
            const earlier = repeat === undefined ? undefined : sent[repeat];
            if (earlier?.stored) {
              assert.equal((await log.append(earlier.batch)).kind, 'committed');
              continue;
            }
            const expectedOf = (stream: string, skew: number) => Math.max(0, headOf(stream) + skew);
            const made = batch(
              touches
                .filter(({ events }) => events > 0)
                .map(({ stream, events, skew }) =>
                  write(stream, expectedOf(stream, skew), ...Array.from({ length: events }, () => (serial += 1))),
                ),
              touches
                .filter(({ events }) => events === 0)
                .map(({ stream, skew }) => ({ stream, expected: expectedOf(stream, skew) })),
            );
            const violations: Violation[] = [...made.writes, ...made.checks]
              .map(({ stream, expected }) => ({ stream, expected, actual: headOf(stream) }))
              .filter(({ expected, actual }) => expected !== actual);

            const outcome = await log.append(made);
            if (violations.length > 0) {
              assert.deepEqual(outcome, { kind: 'refused', violations });
            } else {
              assert.equal(outcome.kind, 'committed');
              for (const { stream, events } of made.writes) {
                const data = events.map(({ json }) => (JSON.parse(json) as { data: unknown }).data);
                streams.set(stream, [...(streams.get(stream) ?? []), ...data]);
              }
            }
            sent.push({ batch: made, stored: violations.length === 0 && made.writes.length > 0 });
          }

          for (const [stream, data] of streams) {
            assert.equal(await log.head(stream), data.length);
            assert.deepEqual((await log.read(stream)).map(dataOf), data);
          }
          const total = [...streams.values()].reduce((sum, { length }) => sum + length, 0);
          assert.equal((await log.readAll({ after: 0n })).length, total);
        } finally {
          await dispose();
        }
      }),
      { numRuns: 25 },
    );
  });
}
