import { z } from 'zod';
import type { ArchivedPlace } from '../contract/evidence.js';
import type { EventPlace, LogReading } from '../event-log/port.js';
import type { Instant } from '../kernel/time.js';
import { families } from '../streams/catalogue.js';
import { isWhole } from './soundness.js';
import { DigestText, InstantText, TraceId, Uuid } from '../vocabulary/ids.js';

/**
 * The list of an archive: its bundles, and what each has. `TracesArchived` names it by its digest, and the log keeps it as a
 * document. So the log itself says what may be missing from it, under the same checkpoints as everything else.
 */
export const ArchiveList = z.strictObject({
  format: z.literal(1),
  before: InstantText,
  /** Whether events and content of these traces are removed from the log after this. */
  prune: z.boolean(),
  traces: z
    .array(
      z.strictObject({
        traceId: TraceId,
        /** The name of the bundle in the folder of the archive. */
        file: z.string().min(1).max(200),
        /** SHA-256 of the bundle. */
        digest: DigestText,
        /** The tasks of the trace, with the number of events of the calls of each. */
        tasks: z.array(z.strictObject({ taskId: Uuid, calls: z.int().min(0) })).min(1),
      }),
    )
    .min(1),
});
export type ArchiveList = z.infer<typeof ArchiveList>;

/** The list that a document is. Undefined if it is none. The caller has compared its bytes with their digest. */
export function archiveListIn(bytes: Uint8Array): ArchiveList | undefined {
  try {
    return ArchiveList.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

/** Finds the archives that tasks were removed to. An instance serves one request, and reads each list once. */
export class Archives {
  private lists: Promise<readonly HeldList[]> | undefined;

  constructor(private readonly log: Pick<LogReading, 'read' | 'blob'>) {}

  /** Undefined if no archive names the task as removed. Throws `LogUnavailable`. */
  async of(taskId: string): Promise<ArchivedPlace | undefined> {
    for (const { bytes, position, time } of await (this.lists ??= archiveLists(this.log))) {
      // A list has many traces, so it is searched before it is read.
      if (!bytes.includes(taskId)) continue;
      const list = archiveListIn(bytes);
      const trace = list?.traces.find(({ tasks }) => tasks.some((task) => task.taskId === taskId));
      if (list?.prune === true && trace !== undefined)
        return { position: String(position), time, file: trace.file, digest: trace.digest };
    }
    return undefined;
  }
}

/** The document of a list, with its event. */
interface HeldList {
  readonly bytes: Buffer;
  readonly position: bigint;
  readonly time: Instant;
}

/** The lists that the log names and still has, the newest first. Throws `LogUnavailable`. */
export async function archiveLists(log: Pick<LogReading, 'read' | 'blob'>): Promise<readonly HeldList[]> {
  const held: HeldList[] = [];
  for (const event of await log.read(families.archives.stream())) {
    if (!isWhole(event)) continue;
    const { position, json } = event;
    const { data, time } = families.archives.read(json);
    const bytes = await log.blob(data.digest);
    if (bytes !== undefined) held.unshift({ bytes: Buffer.from(bytes), position, time });
  }
  return held;
}

/** The tasks that these events open, and whose calls were archived and removed. Throws `LogUnavailable`. */
export async function archivedTasks(
  log: Pick<LogReading, 'read' | 'blob' | 'head'>,
  events: readonly EventPlace[],
): Promise<(ArchivedPlace & { readonly taskId: string })[]> {
  const archives = new Archives(log);
  const found: (ArchivedPlace & { readonly taskId: string })[] = [];
  for (const { stream, revision } of events) {
    const taskId = revision === 1 ? families.task.idOf(stream) : undefined;
    // A removed task has no calls, so an archive is looked for only then.
    if (taskId === undefined || (await log.head(families.calls.stream(taskId))) > 0) continue;
    const place = await archives.of(taskId);
    if (place !== undefined) found.push({ ...place, taskId });
  }
  return found;
}
