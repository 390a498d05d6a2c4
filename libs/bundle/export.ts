import { archivedTasks } from '../audit/archives.js';
import type { ArchivedPlace } from '../contract/evidence.js';
import { eventAt } from '../audit/events-at.js';
import { isOfOtherHost, joinedTo } from '../audit/joined.js';
import { isWhole } from '../audit/soundness.js';
import { damagedEvent } from '../audit/stored-event.js';
import type { Reference } from '../audit/index/messages.js';
import type { IndexReading } from '../audit/index/reading.js';
import { parseEvent } from '../event-log/event.js';
import { LogUnavailable, type LogReading, type RecordedEvent } from '../event-log/port.js';
import { idIn, verifySealed } from '../event-log/verify.js';
import { digestOfBytes } from '../kernel/digest.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { KeyReading } from '../payloads/keyring.js';
import { completenessLeaf } from '../seal/ledger.js';
import type { LeafProof } from '../seal/messages.js';
import { families } from '../streams/catalogue.js';
import { recordText } from './export-content.js';
import { MAX_BUNDLE_BYTES, MAX_BUNDLE_EVENTS } from '../contract/bundle-format.js';
import { Needs } from './needs.js';
import type { ProofSource } from './proof-source.js';
import { nodeName, siblingRanges } from './ranges.js';
import { ownStreams, sealedTrace, tasksOf, type SealedTrace } from './sealed-trace.js';

/** Events that are in memory at once. */
const PAGE = 200;

export interface ExportSources {
  readonly log: LogReading;
  readonly keys: Pick<KeyReading, 'get'>;
  readonly index: IndexReading;
  readonly proofs: ProofSource;
}

/** A bundle that is written piece by piece. */
export interface BundleExport {
  /** The events of the trace that no checkpoint has yet: they are not in the bundle. */
  readonly unsealed: number;
  /** The JSON text. Throws `ExportStopped`, and what the log, the keyring and the source of proofs throw. */
  readonly pieces: AsyncGenerator<string>;
}

/** The bundle would be larger than a verifier takes, or nothing proves one of its events. Nothing more of it is written. */
export class ExportStopped extends Error {
  override readonly name = 'ExportStopped';

  constructor(readonly refusal: Refusal) {
    super(refusal.detail);
  }
}

const tooLarge = (detail: string): ExportStopped => new ExportStopped(refusal('too_large', detail));

const notSealed = (position: bigint): ExportStopped =>
  new ExportStopped(
    refusal(
      'evidence_damaged',
      `the event at position ${position} is not the one that the checkpoints of the log have`,
    ),
  );

const TOO_MANY = (maxEvents: number): string => `the bundle would have more than ${maxEvents} events`;

const MOVED = ({ file, digest, position }: ArchivedPlace): string =>
  `the trace was archived and removed: its bundle is ${file} (${digest}), as TracesArchived at position ${position} says`;

/**
 * Exports the evidence of a trace as of the latest checkpoint. Undefined if the trace has no sealed events, `too_large`
 * if its own events are too many. Memory is bounded by a page, and by the places of the events.
 */
export async function exportBundle(
  sources: ExportSources,
  traceId: string,
  content: 'include' | 'omit',
  maxEvents = MAX_BUNDLE_EVENTS,
): Promise<Result<BundleExport | undefined, Refusal>> {
  const { log, index, proofs } = sources;
  await index.asOf();
  const joined = await joinedTo(log, traceId, maxEvents + 1);
  const refusals = await index.refusals(traceId, 0n, maxEvents + 1);
  if (joined.length === 0 && refusals.length === 0) return ok(undefined);
  const opened = tasksOf(joined).map((taskId) => ({ stream: families.task.stream(taskId), revision: 1 }));
  const [moved] = await archivedTasks(log, opened);
  if (moved !== undefined) return err(refusal('not_found', MOVED(moved)));
  const heads = await Promise.all(ownStreams(traceId, joined).map((stream) => log.head(stream)));
  const counted = heads.reduce((sum, head) => sum + head, refusals.length + (await log.head('directives')));
  if (counted > maxEvents) return err(refusal('too_large', TOO_MANY(maxEvents)));
  const trace = await sealedTrace(log, proofs, traceId, refusals);
  if (trace === undefined) return ok(undefined);
  const writer = new BundleWriter(sources, trace, traceId, content, maxEvents);
  return ok({ unsealed: trace.unsealed, pieces: writer.pieces(refusals) });
}

class BundleWriter {
  private readonly needs = new Needs();
  /** The id of each event, in order. A damaged one has none. */
  private readonly ids: { readonly id: string | undefined; readonly position: bigint }[] = [];
  private readonly through: bigint;
  private chars = 0;

  constructor(
    private readonly sources: ExportSources,
    private readonly trace: SealedTrace,
    private readonly traceId: string,
    private readonly content: 'include' | 'omit',
    private readonly maxEvents: number,
  ) {
    this.through = BigInt(trace.sealed.through);
  }

  /** Throws `ExportStopped`. */
  async *pieces(refusals: readonly Reference[]): AsyncGenerator<string> {
    for await (const piece of this.members(refusals)) {
      this.chars += piece.length;
      if (this.chars > MAX_BUNDLE_BYTES) throw tooLarge(`the bundle would have more than ${MAX_BUNDLE_BYTES} bytes`);
      yield piece;
    }
  }

  private async *members(refusals: readonly Reference[]): AsyncGenerator<string> {
    const { streams, sealed } = this.trace;
    yield `{"format":1,"traceId":${JSON.stringify(this.traceId)},"events":[`;
    for (const stream of streams) yield* this.eventsOf(stream, (event) => this.needs.takeOwn(event));
    yield* this.refused(refusals);
    await this.needDrift();
    // Now it is known how far back the capabilities, policies, principals and directives reach.
    const needed = [...this.needs.revisions.values()].reduce((sum, revision) => sum + revision, 0);
    if (this.ids.length + needed > this.maxEvents) throw tooLarge(TOO_MANY(this.maxEvents));
    for (const [stream, revision] of this.needs.revisions) {
      if (revision > 0) yield* this.eventsOf(stream, (event) => this.needs.takeControl(event), revision);
    }
    yield '],"documents":{';
    yield* this.documents();
    yield '}';
    if (this.content === 'include') {
      yield ',"payloads":{';
      yield* this.payloads(streams);
      yield '}';
    }
    yield* this.proofs();
    yield `,"checkpoint":${JSON.stringify(sealed.checkpoint)},"keys":${JSON.stringify(this.sources.proofs.keys)}`;
    yield `,"engines":[${[...this.needs.engines].sort().join(',')}]}`;
  }

  /** The events of a stream as of the checkpoint, up to a revision. */
  private async *pagesOf(stream: string, last = Infinity): AsyncGenerator<readonly RecordedEvent[]> {
    for (let after = 0; after < last;) {
      const page = await this.sources.log.read(stream, after, Math.min(PAGE, last - after));
      const within = page.filter(({ position }) => position <= this.through);
      if (within.length > 0) yield within;
      if (within.length < PAGE) return;
      after = within.at(-1)?.revision ?? last;
    }
  }

  private async *eventsOf(stream: string, take: (event: RecordedEvent) => void, last?: number): AsyncGenerator<string> {
    for await (const page of this.pagesOf(stream, last)) yield this.written(page, take);
  }

  private written(events: readonly RecordedEvent[], take: (event: RecordedEvent) => void): string {
    let text = '';
    for (const event of events) {
      const isDamaged = !isWhole(event);
      const separator = this.ids.length === 0 ? '' : ',';
      text += separator + JSON.stringify(isDamaged ? damagedEvent(event) : event.json);
      this.ids.push({ id: isDamaged ? undefined : idIn(event.json), position: event.position });
      if (!isDamaged) take(event);
    }
    return text;
  }

  /** Refused calls with the id of the trace. Those of another host than that of its tasks are not part of it. */
  private async *refused(refusals: readonly Reference[]): AsyncGenerator<string> {
    const byStream = Map.groupBy(refusals, ({ stream }) => stream);
    for (const [stream, references] of byStream) {
      if (isOfOtherHost(this.trace.joined, families.refusals.idOf(stream) ?? '')) continue;
      for (const reference of references) {
        if (reference.position > this.through) break;
        const event = await eventAt(this.sources.log, reference);
        if (event?.position === reference.position) yield this.written([event], (each) => this.needs.takeOwn(each));
      }
    }
  }

  /** A drift that the trace observed was recorded with its call, after the revisions that the decision rests on. */
  private async needDrift(): Promise<void> {
    for (const [stream, revision] of this.needs.revisions) {
      if (!families.capability.has(stream) && !families.directives.has(stream)) continue;
      if (!this.needs.drifted) return;
      for (let after = revision; ;) {
        const page = await this.sources.log.read(stream, after, PAGE);
        const own = page.filter(({ position, json }) => position <= this.through && this.isOwn(json));
        for (const event of own) this.needs.takeOwn(event);
        if (page.length < PAGE) break;
        after += PAGE;
      }
    }
  }

  private isOwn(json: string): boolean {
    return json.includes(this.traceId) && verifySealed(json) !== undefined && parseEvent(json).traceId === this.traceId;
  }

  private async *documents(): AsyncGenerator<string> {
    let separator = '';
    for (const [digest, { kind }] of this.needs.documents) {
      const bytes = await this.sources.log.blob(digest);
      // A document that is lost or damaged is not there: the verifier says so.
      if (bytes === undefined || digestOfBytes(bytes) !== digest) continue;
      const text = Buffer.from(bytes).toString('utf8');
      yield `${separator}"${digest}":${kind === 'text' ? JSON.stringify(text) : text}`;
      separator = ',';
    }
  }

  private async *payloads(streams: readonly string[]): AsyncGenerator<string> {
    let separator = '';
    for (const stream of streams) {
      const taskId = families.task.idOf(stream) ?? families.calls.idOf(stream);
      if (taskId === undefined || this.needs.shredded.has(taskId)) continue;
      const key = await this.sources.keys.get(taskId);
      if (key === undefined) continue;
      for await (const page of this.pagesOf(stream)) {
        for (const event of page) {
          const text = await recordText(this.sources.log, key, event);
          if (text === undefined) continue;
          yield separator + text;
          separator = ',';
        }
      }
    }
  }

  private async *proofs(): AsyncGenerator<string> {
    const { completeness, streams } = this.trace.sealed;
    const size = completeness.index + 1;
    const shared = new SharedNodes(size);
    const leaves: number[] = [];
    yield ',"proofs":{"nodes":{';
    yield shared.added(completeness);
    for (let at = 0; at < this.ids.length; at += PAGE) {
      const page = this.ids.slice(at, at + PAGE);
      const ids = page.flatMap(({ id }) => id ?? []);
      const proven = await this.sources.proofs.ask({ kind: 'evidence', ids, streams: [], size });
      if (proven === undefined) throw new LogUnavailable('the proofs of the log are made again');
      const proofs = [...proven.events];
      for (const { id, position } of page) {
        // Nothing can be proven of a damaged event. Its number only keeps the lists alike.
        if (id === undefined) {
          leaves.push(0);
          continue;
        }
        const proof = proofs.shift();
        // Its text was changed with its id, and no leaf is of that.
        if (proof === undefined) throw notSealed(position);
        leaves.push(proof.index);
        yield shared.added(proof);
      }
    }
    yield `},"leaves":${JSON.stringify(leaves)}},"completeness":{"leaf":`;
    yield JSON.stringify(completenessLeaf(completeness.data));
    const members = streams.map(({ stream, ...proof }) => `${JSON.stringify(stream)}:${JSON.stringify(proof)}`);
    yield `,"streams":{${members.join(',')}}}`;
  }
}

/** Writes each node of the proofs once. */
class SharedNodes {
  private readonly written = new Set<string>();

  constructor(private readonly size: number) {}

  added({ index, hashes }: LeafProof): string {
    let text = '';
    for (const [at, range] of siblingRanges(index, this.size).entries()) {
      const name = nodeName(range);
      if (this.written.has(name)) continue;
      text += `${this.written.size === 0 ? '' : ','}"${name}":"${hashes[at] ?? ''}"`;
      this.written.add(name);
    }
    return text;
  }
}
