import type { Command } from 'commander';
import { type Json } from '../../../libs/kernel/canonical-json.js';
import { toInstant, toMs } from '../../../libs/kernel/time.js';
import { describe, serviceAction, type Exits } from '../command.js';
import { path } from '../client.js';
import { at, dig, list, printable, table } from '../print.js';
import { UsageError, type World } from '../world.js';

/** Below this, the difference is noise: one reading of two clocks. */
const IN_STEP_MS = 1;

/** `sallyport clock`: the service's time, and the way back if it is ahead of the wall clock. */
export function addClock(program: Command, world: World, exits: Exits): void {
  const clock = describe(program, 'clock', {
    about: "Compare the service's time with its wall clock, and show the way back if it is ahead",
    example: 'sallyport clock',
  });
  serviceAction(clock, world, exits, 'operator', async ({ call, show }) => {
    const { serviceTime, aheadMs } = clockIn(await call('GET', '/health/ready'));
    const ends = list(await call('GET', path('directives')), 'active').flatMap((each) => endOf(each, aheadMs));
    show({ serviceTime, wallTime: toInstant(toMs(serviceTime) - aheadMs), aheadMs, directives: ends }, () =>
      aheadMs < IN_STEP_MS
        ? [`the service's time is its wall clock: ${serviceTime}`]
        : aheadLines(serviceTime, aheadMs, ends),
    );
  });
}

interface Clock {
  readonly serviceTime: string;
  readonly aheadMs: number;
}

function clockIn(answer: Json): Clock {
  const [serviceTime, aheadMs] = [dig(answer, 'clock', 'serviceTime'), dig(answer, 'clock', 'aheadMs')];
  if (typeof serviceTime === 'string' && !Number.isNaN(toMs(serviceTime)) && typeof aheadMs === 'number') {
    return { serviceTime, aheadMs };
  }
  throw new UsageError('the service does not tell its time: is it an older version?');
}

interface End {
  readonly id: string;
  /** By the service's time, which ends it. */
  readonly expiresAt: string;
  /** The wall clock of that moment. */
  readonly expiresAtByWallClock: string;
}

function endOf(directive: Json, aheadMs: number): End[] {
  const expiresAt = dig(directive, 'expiresAt');
  if (typeof expiresAt !== 'string' || Number.isNaN(toMs(expiresAt))) return [];
  return [{ id: at(directive, 'id'), expiresAt, expiresAtByWallClock: toInstant(toMs(expiresAt) - aheadMs) }];
}

function aheadLines(serviceTime: string, aheadMs: number, ends: readonly End[]): string[] {
  const ahead = durationText(aheadMs);
  return [
    `the service's time is ${ahead} ahead of its wall clock`,
    ...table([
      ['  service time', serviceTime],
      ['  wall clock', toInstant(toMs(serviceTime) - aheadMs)],
    ]),
    '',
    'Why: an event was recorded while the clock was ahead. Time never goes back, so no decision is dated before an older one.',
    '',
    `While it lasts, every time that was set by a right clock comes ${ahead} early:`,
    `- directives with an end: ${ends.length === 0 ? 'none is active' : ''}`,
    ...table(
      ends.map((each) => [`    ${printable(each.id)}`, `ends at ${each.expiresAtByWallClock} by the wall clock`]),
    ),
    '- tasks from before the clock was ahead: they expire early, and their hosts open new ones',
    'Not affected: new tasks, allows and leases, which last as long as always; reviews, which have no end.',
    '',
    `The way back: stop the service, and start it when the wall clock has passed ${serviceTime}.`,
    'Meanwhile hosts deny when their leases end, and nothing expires: no time passes for the service. A shorter stop takes',
    'as much off the difference as it lasts. A backup from before the clock was ahead is the other way; it loses what was',
    'recorded since. If neither is worth it, give directives an end by the service time above, or none.',
  ];
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const;

/** The two largest units of a duration: `1 h 5 min`. Below a second, in milliseconds. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  let left = ms;
  const parts = UNITS.flatMap(([name, size]) => {
    const count = Math.floor(left / size);
    left -= count * size;
    return count === 0 ? [] : [`${count} ${name}`];
  });
  return parts.slice(0, 2).join(' ');
}
