import { workerData } from 'node:worker_threads';
import { isDamaged } from '../../../libs/event-log/port.js';
import { Damaged } from '../../../libs/event-log/sqlite/shared/errors.js';
import type { Found } from '../../../libs/event-log/sqlite/shared/query.js';
import { pageIn } from '../../../libs/event-log/sqlite/shared/reading.js';
import { openLogReader } from '../../../libs/event-log/sqlite/worker/log-reader.js';
import { damagedFinding, keyOf, ocsfOf } from '../../../libs/siem/ocsf-of.js';
import { OCSF_BEGIN, type OcsfEvent } from '../../../libs/siem/ocsf.js';
import { SiemFile } from '../../../libs/siem/siem-file.js';
import { codeOf } from '../../../libs/sqlite-file/codes.js';
import { Reconnecting } from '../../../libs/sqlite-file/reconnecting.js';
import { lowerOwnPriority } from '../../../libs/threads/priority.js';
import { ownPort, serve } from '../../../libs/threads/serve.js';
import type { SiemPage, SiemReply, SiemRequest, SiemThreadData } from './messages.js';
import { openOtlp, type OtlpLogs } from './otlp.js';

/** Nice increment of this thread: when processors are scarce, decisions and their records run first. */
const SIEM_NICE_INCREMENT = 10;
/** One page is one batch to Kafka and one request to a collector, whose limits are some MB. */
const PAGE_EVENTS = 200;

/**
 * The thread that makes OCSF events, with its own connection to the log. It answers by the ids of requests, because a
 * collector may take seconds, and neither the file nor Kafka waits for that.
 */
lowerOwnPriority(SIEM_NICE_INCREMENT);
serve({
  open() {
    const { logFile, file, otlp }: SiemThreadData = workerData;
    const reader = new Reconnecting({
      open: () => openLogReader(logFile),
      keepsAfter: (error) => error instanceof Damaged,
    });
    const read = (after: number): Read =>
      reader.use((open) =>
        readPage(open.answer({ kind: 'all', after, categories: null, limit: PAGE_EVENTS, shown: true }), after),
      );
    const desk = deskOf(read, file === undefined ? undefined : new SiemFile(file, OCSF_BEGIN), otlp && openOtlp(otlp));
    return {
      answer(requests: readonly SiemRequest[]) {
        for (const request of requests) void desk.serve(request).then((reply) => ownPort().postMessage(reply));
        return [];
      },
      close() {
        desk.close();
        reader.close();
      },
    };
  },
  reasonOf: failureOf,
});

interface Read extends SiemPage {
  readonly events: readonly OcsfEvent[];
}

/** The events of an answer of the log as OCSF events. */
function readPage(found: Found, after: number): Read {
  const { events, more } = pageIn(found);
  const nowMs = Date.now();
  const mapped = events
    .map((event) => (isDamaged(event) ? damagedFinding(event, nowMs) : ocsfOf(event)))
    .filter((event) => event !== undefined);
  const page = { to: Number(events.at(-1)?.position ?? after), count: mapped.length, atEnd: !more, events: mapped };
  const damaged = events.filter(isDamaged);
  return damaged.length === 0 ? page : { ...page, damaged };
}

function deskOf(read: (after: number) => Read, file: SiemFile | undefined, otlp: OtlpLogs | undefined) {
  const pageOf = async (request: SiemRequest): Promise<SiemPage | undefined> => {
    if (request.kind === 'sync') {
      file?.sync();
      return undefined;
    }
    const { events, ...page } = read(request.after);
    if (request.kind === 'records') {
      return { ...page, records: events.flatMap((event) => [keyOf(event), JSON.stringify(event)]) };
    }
    if (request.kind === 'file') file?.append(events.map((event) => `${JSON.stringify(event)}\n`));
    else if (events.length > 0) await otlp?.send(events);
    return page;
  };
  return {
    async serve(request: SiemRequest): Promise<SiemReply> {
      const { id } = request;
      try {
        return { id, page: await pageOf(request) };
      } catch (error) {
        return { id, failure: failureOf(error) };
      }
    },
    close() {
      file?.close();
      otlp?.close();
    },
  };
}

/** The message of `Damaged` names a position at most. Others may quote a path or an address. */
function failureOf(error: unknown): string {
  return error instanceof Damaged ? error.message : codeOf(error);
}
