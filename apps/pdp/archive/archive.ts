import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ArchiveList } from '../../../libs/audit/archives.js';
import { ExportStopped } from '../../../libs/bundle/export.js';
import { canonicalJson } from '../../../libs/kernel/canonical-json.js';
import { digestOfBytes, type Digest } from '../../../libs/kernel/digest.js';
import { ok } from '../../../libs/kernel/result.js';
import type { Instant } from '../../../libs/kernel/time.js';
import { archiveWrite } from '../../../libs/retention/facts.js';
import { makeFolder } from '../../../libs/sqlite-file/make-folder.js';
import { syncPath } from '../../../libs/sqlite-file/sync-path.js';
import { families } from '../../../libs/streams/catalogue.js';
import { openService, type Service } from '../service.js';
import type { Settings } from '../settings.js';
import { closedTraces, type ClosedTrace, type LeftOut } from './closed-traces.js';
import { pruneTraces } from './prune.js';
import { sentTo } from './sent.js';
import { BundleRefused, writeBundle, type WrittenBundle } from './write-bundle.js';

/** Traces that one `TracesArchived` names, and their tasks: its list is one document of the log. */
const MAX_TRACES = 1_000;
const MAX_TASKS = 20_000;
/** The actor of what this program records. */
const SYSTEM = { name: 'system:archive' } as const;

/** The archive cannot be made. The message is one line for an operator. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
}

/** The arguments are wrong. The message is one line for an operator. */
export class WrongUsage extends Error {
  override readonly name = 'WrongUsage';
}

export interface ArchiveOptions {
  readonly before: Instant;
  readonly out: string;
  /** Removes the traces from the log, after they were archived and sealed. */
  readonly prune: boolean;
}

export interface Archived {
  readonly traces: number;
  readonly events: number;
  /** Bundles that are sound as far as they go: content was erased, or something is not recorded. */
  readonly partly: number;
  /** The digests of the lists, one for each `TracesArchived`. */
  readonly lists: readonly Digest[];
  readonly leftOut: readonly LeftOut[];
  /** Events that were removed from the log. */
  readonly pruned: number;
}

/**
 * Archives the traces that ended before a time. Each bundle is on the disk and verified from there before anything is
 * recorded, and everything is recorded and sealed before anything is removed. A crash at any point loses nothing, and the
 * same command again completes it. No service may run on the data folder. Throws `ArchiveError`,
 * `WrongUsage`, and the errors of a start.
 */
export async function archiveFolder(settings: Settings, options: ArchiveOptions): Promise<Archived> {
  // A start would make a new installation there.
  if (!existsSync(settings.logFile)) throw new ArchiveError(`there is no log: ${settings.logFile}`);
  makeFolder(options.out);
  // Nothing leaves and nothing is erased while this runs.
  const quiet = { ...settings, kafka: undefined, siem: { kafka: false, file: undefined, otlp: undefined } };
  const service = await openService({ ...quiet, retainDays: undefined });
  const run = new ArchiveRun(service, options);
  try {
    // An open task would count as ended, because its expiry is before that time.
    if (options.before > service.control.time.now()) throw new WrongUsage('--before is in the future');
    await run.writeAll(await sentTo(settings, service.stores.log));
  } finally {
    // It seals what was recorded.
    await service.close();
  }
  const { archived, recorded } = run;
  return { ...archived, pruned: options.prune ? pruneTraces(settings, recorded) : 0 };
}

interface Bundled extends WrittenBundle {
  readonly trace: ClosedTrace;
}

class ArchiveRun {
  readonly recorded: { readonly position: bigint; readonly list: ArchiveList }[] = [];
  private readonly digests: Digest[] = [];
  private readonly leftOut: LeftOut[] = [];
  private chunk: Bundled[] = [];
  private readonly sums = { traces: 0, events: 0, partly: 0 };

  constructor(
    private readonly service: Service,
    private readonly options: ArchiveOptions,
  ) {}

  get archived(): Omit<Archived, 'pruned'> {
    return { ...this.sums, lists: this.digests, leftOut: this.leftOut };
  }

  async writeAll(sent: bigint): Promise<void> {
    const { before, prune } = this.options;
    for await (const found of closedTraces(this.service.stores.log, { before, prune, sent })) {
      if ('why' in found) this.leftOut.push(found);
      else await this.take(found);
      const tasks = this.chunk.reduce((sum, { trace }) => sum + trace.tasks.length, 0);
      if (this.chunk.length >= MAX_TRACES || tasks >= MAX_TASKS) await this.record();
    }
    if (this.chunk.length > 0) await this.record();
  }

  private async take(trace: ClosedTrace): Promise<void> {
    const { stores, index, seal } = this.service;
    if (seal === undefined) throw new ArchiveError('the log makes no checkpoints');
    const { thread, verifier } = seal;
    const proofs = { keys: [verifier], ask: thread.ask.bind(thread) };
    const sources = { log: stores.log, keys: stores.keyring, index, proofs };
    try {
      this.chunk.push({ trace, ...(await writeBundle(sources, trace.traceId, this.options.out)) });
    } catch (error) {
      if (!(error instanceof BundleRefused) && !(error instanceof ExportStopped)) throw error;
      this.leftOut.push({ traceId: trace.traceId, why: error.message });
    }
  }

  /** Records the bundles so far. They and their list are durable before. */
  private async record(): Promise<void> {
    const { before, prune, out } = this.options;
    const chunk = this.chunk;
    this.chunk = [];
    const list: ArchiveList = {
      format: 1,
      before,
      prune,
      traces: chunk.map(({ trace: { traceId, tasks }, file, digest }) => ({
        traceId,
        file,
        digest,
        tasks: [...tasks],
      })),
    };
    const bytes = Buffer.from(canonicalJson(list));
    const digest = digestOfBytes(bytes);
    const file = join(out, `archive-${digest.slice('sha256:'.length)}.json`);
    writeFileSync(file, bytes, { mode: 0o600, flush: true });
    syncPath(out);
    const { control, stores, seal } = this.service;
    const { size = 0, root = '' } = (await seal?.thread.ask({ kind: 'latest' })) ?? {};
    const events = chunk.reduce((sum, { trace }) => sum + trace.events, 0);
    const data = { before, archivedTraces: chunk.length, archivedEvents: events, checkpoint: { size, root }, digest };
    const run = await control.plane.run(
      SYSTEM,
      (time, head: number) =>
        ok({ writes: [archiveWrite(head, data, { actor: SYSTEM.name, time })], blobs: [{ digest, bytes }] }),
      () => stores.log.head(families.archives.stream()),
    );
    if (!run.ok) throw new ArchiveError(run.error.detail);
    this.recorded.push({ position: run.value.position, list });
    this.digests.push(digest);
    this.sums.traces += chunk.length;
    this.sums.events += events;
    this.sums.partly += chunk.filter(({ soundness }) => soundness === 'partly').length;
  }
}
