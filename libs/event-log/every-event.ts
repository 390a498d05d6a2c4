import type { EventLog, ReadAllOptions, RecordedEvent } from './port.js';

/** Every event after a position, in order, read page by page; done at the end of the log. Throws `LogUnavailable`. */
export async function* everyEvent(
  log: Pick<EventLog, 'readAll'>,
  options: Omit<ReadAllOptions, 'limit'> = { after: 0n },
): AsyncGenerator<RecordedEvent> {
  for (let { after } = options; ;) {
    const page = await log.readAll({ ...options, after });
    const last = page.at(-1);
    if (last === undefined) return;
    yield* page;
    after = last.position;
  }
}
