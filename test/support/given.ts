import assert from 'node:assert/strict';
import type { z } from 'zod';
import type { CallDecided } from '../../libs/calls/events.js';
import { fold, type Decider } from '../../libs/kernel/decider.js';
import type { Refusal } from '../../libs/kernel/refusal.js';

interface AnyEvent {
  readonly type: string;
  readonly data: unknown;
}

/** The result of a command: exactly these events, nothing at all, or a refusal with a code. */
export interface Outcome<Event> {
  thenEvents(...events: readonly Event[]): void;
  thenNothing(): void;
  thenRefused(code: Refusal['code']): void;
}

export interface Given<Command, Event, State> {
  when(command: Command): Outcome<Event>;
  /** The state that the events fold to. */
  readonly state: State;
}

/**
 * A decider as `given(events).when(command).then…`. Every decided event has the shape of its schema, and deciding
 * leaves the state unchanged.
 */
export function specified<State, Command, Event extends AnyEvent>(
  decider: Decider<State, Command, Event, Refusal>,
  schemas: Readonly<Record<string, z.ZodType>>,
): (...events: readonly Event[]) => Given<Command, Event, State> {
  return (...events) => ({
    get state() {
      return fold(decider, structuredClone(events));
    },
    when(command) {
      const state = fold(decider, structuredClone(events));
      const before = structuredClone(state);
      const decided = decider.decide(command, state);
      assert.deepEqual(state, before, 'deciding changes nothing');
      const thenEvents = (...expected: readonly Event[]): void => {
        assert.ok(decided.ok, decided.ok ? '' : `refused: ${decided.error.code}`);
        assert.deepEqual(decided.value, expected);
        for (const { type, data } of decided.value) {
          const schema = schemas[type];
          assert.ok(schema !== undefined, `${type} has no schema`);
          assert.deepEqual(schema.parse(data), data);
        }
        fold(decider, structuredClone([...events, ...decided.value]));
      };
      return {
        thenEvents,
        thenNothing: () => thenEvents(),
        thenRefused(code) {
          assert.ok(!decided.ok, decided.ok ? `decided ${JSON.stringify(decided.value)}` : '');
          assert.equal(decided.error.code, code);
          assert.ok(decided.error.detail.length > 0);
        },
      };
    },
  });
}

/** A digest for any content. */
export const digest = (of: string): `sha256:${string}` => `sha256:${Buffer.from(of).toString('hex').padEnd(64, '0')}`;

/** A UUID made of its number. */
export const uuid = (of: number): string => `00000000-0000-4000-8000-${String(of).padStart(12, '0')}`;

/** Moments of one day, by their minute. */
export const at = (minute: number): string => new Date(Date.UTC(2026, 10, 22) + minute * 60_000).toISOString();

/** The decision on a call of task 9. */
export const callDecided = (decision: 'allow' | 'deny', more: Partial<CallDecided> = {}): CallDecided => ({
  callId: uuid(1),
  taskId: uuid(9),
  attempt: 1,
  host: 'hank',
  capability: 'memory',
  operation: 'recall',
  decision,
  reason: decision === 'allow' ? 'ok' : 'disabled',
  checks: ['registered'],
  basis: { directives: 0 },
  observed: { server: { method: 'none' } },
  contextItems: 0,
  commitments: { arguments: digest('a') },
  requestDigest: digest('request'),
  engines: { decider: 1, cedar: '4' },
  ...more,
});
