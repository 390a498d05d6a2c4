import type { DecisionEngines } from '../../libs/decision-point/engines.js';
import type { Engines } from '../../libs/decision/snapshot.js';
import type { AppendOutcome, Batch, EventLog, Recall, RecordedEvent } from '../../libs/event-log/port.js';
import { parseEvent, sealEvent } from '../../libs/event-log/event.js';
import type { Defect } from './world.js';

/** At least one way to break each promise, to prove that the simulation finds it. */
export const DEFECTS: readonly Defect[] = [
  {
    breaks: 1,
    name: 'the policy engine allows whatever it is asked',
    engines: (engines) => withEngines(engines, { authority: () => ({ outcome: 'allow', determining: ['planted'] }) }),
  },
  {
    breaks: 'content',
    name: 'the filter redacts nothing',
    engines: (engines) =>
      withEngines(engines, {
        filter: ({ arguments: args }) => {
          const nothing = { redactions: [], refusals: [], labels: [] };
          const outbound = { arguments: args, context: [], ...nothing };
          return { outbound, obligations: [], record: { ...nothing, items: [] } };
        },
      }),
  },
  {
    breaks: 2,
    name: 'an allow is answered before its record is durable',
    log: (log) =>
      withAppend(log, async (batch) => {
        if (!isAllow(batch)) return log.append(batch);
        const position = await log.end();
        log.append(batch).catch(() => undefined);
        return { kind: 'committed', position: position + 7n };
      }),
  },
  {
    breaks: 2,
    name: 'a command is answered and its record forgotten',
    log: (log, world) =>
      withAppend(log, async (batch) => {
        const directive = batch.writes.some(({ stream }) => stream === 'directives');
        return directive && world.chance.happens(0.5)
          ? { kind: 'committed', position: await log.end() }
          : log.append(batch);
      }),
  },
  {
    breaks: 3,
    name: 'an allow is appended without the preconditions of its basis',
    log: (log) => withAppend(log, (batch) => log.append(isAllow(batch) ? { ...batch, checks: [] } : batch)),
  },
  {
    breaks: 3,
    name: 'a repeated allow is answered without looking at its basis again',
    log: (log) =>
      withAppend(log, async (batch) =>
        batch.writes.length > 0 ? log.append(batch) : { kind: 'committed', position: await log.end() },
      ),
  },
  {
    breaks: 4,
    name: 'the clock that times commits stands still',
    clock: (clock) => ({ ...clock, monotonicMs: () => 0 }),
  },
  {
    breaks: 5,
    name: 'a response is answered and its record forgotten',
    log: (log) =>
      withAppend(log, async (batch) =>
        holds(batch, 'ResponseValidated') ? { kind: 'committed', position: await log.end() } : log.append(batch),
      ),
  },
  {
    breaks: 5,
    name: 'a response is recorded without looking whether the call was stopped',
    log: (log) =>
      withAppend(log, (batch) => log.append(holds(batch, 'ResponseValidated') ? { ...batch, checks: [] } : batch)),
  },
  {
    breaks: 6,
    name: 'the policies that decided are named otherwise each time',
    engines: (engines) => {
      let asked = 0;
      return withEngines(engines, {
        authority: (set, request) => ({
          ...engines.engines.authority(set, request),
          determining: [`planted-${(asked += 1)}`],
        }),
      });
    },
  },
  {
    breaks: 7,
    name: 'an event is edited in the store, and its id made to fit',
    act: async ({ inner, scheduler, chance }) => {
      let events: readonly RecordedEvent[] = [];
      inner.readAll({ after: 0n, limit: 100_000 }).then((read) => (events = read));
      await scheduler.drain();
      const event = chance.of(events);
      const { id: _, ...rest } = parseEvent(event.json);
      Object.assign(event, { json: sealEvent({ ...rest, actor: 'somebody-else' }).json });
    },
  },
  {
    breaks: 8,
    name: 'whatever was answered as unknown is sent again',
    settled: (log) => ({ ...log, append: (batch) => log.append({ ...batch, standing: true }) }),
  },
  {
    breaks: 8,
    name: 'what was taken back is written all the same',
    log: (log) =>
      withAppend(log, (batch, recall = {}) => {
        recall.takeBack = () => true;
        return log.append(batch);
      }),
  },
  {
    breaks: 'limits',
    name: 'calls are not counted against maxCalls',
    log: (log) =>
      withAppend(log, (batch) =>
        log.append({
          ...batch,
          writes: batch.writes.filter(({ events }) => events.every(({ type }) => type !== 'CallCounted')),
        }),
      ),
  },
];

function withAppend(log: EventLog, append: (batch: Batch, recall?: Recall) => Promise<AppendOutcome>): EventLog {
  return { ...log, append };
}

/** The same engines with other answers. */
function withEngines(engines: DecisionEngines, changed: Partial<Engines>): DecisionEngines {
  return Object.create(engines, { engines: { value: { ...engines.engines, ...changed } } }) as DecisionEngines;
}

const eventsOf = (batch: Batch) => batch.writes.flatMap(({ events }) => events);

const holds = (batch: Batch, type: string): boolean => eventsOf(batch).some((event) => event.type === type);

const isAllow = (batch: Batch): boolean =>
  eventsOf(batch).some(({ type, json }) => type === 'CallDecided' && json.includes('"decision":"allow"'));
