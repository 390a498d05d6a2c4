import type { KeyObject } from 'node:crypto';
import { idIn } from '../event-log/verify.js';
import { categoriesWith, families } from '../streams/catalogue.js';
import { hashText } from '../transparency/hash.js';
import { GrowingTree } from '../transparency/tree.js';
import { signCheckpoint } from '../transparency/checkpoint.js';
import { SealFault } from './fault.js';
import { compareHead, Ledger, type SealedHead } from './ledger.js';
import type { Sealing, SealStatus } from './messages.js';
import { SealFile, type SealState } from './seal-file.js';
import { checkpointAt, checkpointOf, statusOf, type LeafEvent, type SealLog } from './seal-log.js';
import type { WitnessFolder } from './witness.js';

/** Leaves of one checkpoint, its own included. */
const MAX_LEAVES = 1_000;
/** The first unsealed event waits for this long at most until its checkpoint is begun, in milliseconds. */
const SEAL_AFTER_MS = 500;
/** Checkpoints that are read from the log at once while the file catches up. */
const CATCH_UP = 64;

/** Families that are evidence: all but the bookkeeping. */
export const LEAF_CATEGORIES: readonly string[] = (['control', 'task', 'evidence'] as const).flatMap(categoriesWith);

export interface SealerParts {
  readonly log: SealLog;
  readonly file: string;
  readonly key: KeyObject;
  readonly origin: string;
  readonly incarnation: number;
  readonly witness: WitnessFolder | undefined;
  /** Appends a checkpoint to the stream `seal`, whose revision it becomes. Answers why it was not appended. */
  readonly append: (revision: number, data: Sealing) => Promise<string | undefined>;
  readonly onStatus: (status: SealStatus) => void;
  readonly nowMs: () => number;
}

/** Follows the log in its own thread, and seals checkpoints. One `step` at a time; queries run between steps. */
export class Sealer {
  private file: SealFile;
  private ledger: Ledger;
  private state: SealState;
  /** Events that no checkpoint has yet, in order. At most `MAX_LEAVES`. */
  private pending: LeafEvent[] = [];
  private sinceMs: number | undefined;
  private trouble: string | undefined;

  constructor(private readonly parts: SealerParts) {
    this.file = SealFile.open(parts.file);
    const fit = this.loadedFit();
    if (fit === undefined) this.file = this.emptied();
    [this.state, this.ledger] = fit ?? this.loaded();
  }

  get sealed(): { readonly state: SealState; readonly file: SealFile; readonly ledger: Ledger } {
    return { state: this.state, file: this.file, ledger: this.ledger };
  }

  /** Whether the last step could not seal or witness. */
  get isFaulty(): boolean {
    return this.trouble !== undefined;
  }

  /**
   * Takes what the log has, and seals if it is time or `now`. True if there may be more at once. A fault of the log stops
   * sealing and nothing else: each step finds it again, until somebody has mended it.
   */
  async step(now = false): Promise<boolean> {
    try {
      if (this.catchUp()) return true;
      this.take();
      const isDue =
        this.pending.length >= MAX_LEAVES - 1 ||
        (this.sinceMs !== undefined && (now || this.parts.nowMs() - this.sinceMs >= SEAL_AFTER_MS));
      if (this.pending.length > 0 && isDue) await this.seal();
      else if (this.trouble !== undefined) this.tell(this.witnessLatest());
      return this.pending.length >= MAX_LEAVES - 1;
    } catch (error) {
      this.reload();
      this.sinceMs ??= this.parts.nowMs();
      this.tell(error instanceof Error ? error.message : 'no checkpoint can be sealed');
      return false;
    }
  }

  /** Deletes the file: it did not lead to the root of its last checkpoint. The next steps make it again from the log. */
  rebuild(): void {
    this.file = this.emptied();
    [this.state, this.ledger] = this.loaded();
    this.pending = [];
  }

  close(): void {
    this.file.close();
    this.parts.log.close();
  }

  private emptied(): SealFile {
    this.file.close();
    return SealFile.again(this.parts.file);
  }

  private loaded(): [SealState, Ledger] {
    const { file } = this;
    const { state } = file;
    const { size, streams, events, tasks, shredded } = state;
    const counts = { streams, events, tasks, shredded };
    const ledger = new Ledger({ tree: GrowingTree.at(size, file.node), streams: file, counts, onNode: file.onNode });
    return [state, ledger];
  }

  /** Undefined if tree, map or counts of the file are not those of the checkpoint that it says it has. */
  private loadedFit(): [SealState, Ledger] | undefined {
    try {
      const [state, ledger] = this.loaded();
      const sealed = checkpointAt(this.parts.log, state.revision);
      if (sealed?.data.through !== String(state.through)) return undefined;
      compareHead(state.revision, sealed.data, ledger.head);
      return [state, ledger];
    } catch {
      return undefined;
    }
  }

  private reload(): void {
    this.file.rollback();
    this.pending = [];
    try {
      [this.state, this.ledger] = this.loaded();
    } catch {
      this.rebuild();
    }
  }

  /** Follows checkpoints that the log has and the file lacks. True if it did, so that others may run before it goes on. */
  private catchUp(): boolean {
    const { log } = this.parts;
    const stream = families.seal.stream();
    if (log.head(stream) <= this.state.revision) return false;
    for (const event of log.stream(stream, this.state.revision, CATCH_UP)) {
      const { data, revision } = checkpointOf(event);
      this.file.begin();
      const ids = this.events(this.state.through, Number(data.through)).flatMap((each) => this.add(each));
      this.file.putIds(ids);
      const head = this.ledger.seal();
      compareHead(revision, data, head);
      this.keep(revision, Number(data.through), head);
    }
    this.pending = [];
    this.sinceMs = undefined;
    this.tell(this.trouble);
    return true;
  }

  /** All events after a position and up to another. There are at most `MAX_LEAVES` of them. */
  private events(after: number, to: number): LeafEvent[] {
    const found: LeafEvent[] = [];
    for (let at = after; at < to;) {
      const page = this.parts.log.all(at, LEAF_CATEGORIES, MAX_LEAVES);
      const within = page.filter(({ position }) => position <= to);
      found.push(...within);
      if (within.length < page.length || page.length === 0) break;
      at = Number(page.at(-1)?.position ?? to);
    }
    return found;
  }

  private take(): void {
    const room = MAX_LEAVES - 1 - this.pending.length;
    if (room <= 0) return;
    const after = Number(this.pending.at(-1)?.position ?? this.state.through);
    const page = this.parts.log.all(after, LEAF_CATEGORIES, room);
    if (page.length === 0) return;
    this.pending.push(...page);
    if (this.sinceMs !== undefined) return;
    this.sinceMs = this.parts.nowMs();
    this.tell(this.trouble);
  }

  private async seal(): Promise<void> {
    const { key, origin, append } = this.parts;
    const { pending } = this;
    const through = Number(pending.at(-1)?.position);
    const revision = this.state.revision + 1;
    this.file.begin();
    this.file.putIds(pending.flatMap((event) => this.add(event)));
    const head = this.ledger.seal();
    const note = signCheckpoint({ origin, size: head.size, root: head.root }, key);
    const { size, completeness } = head;
    const failure = await append(revision, {
      size,
      root: hashText(head.root),
      through: String(through),
      completeness,
      note,
    });
    // Whether or not it was written: the next step reads it from the log.
    if (failure !== undefined) throw new SealFault(`no checkpoint can be recorded: ${failure}`);
    this.keep(revision, through, head);
    this.pending = [];
    this.sinceMs = undefined;
    this.tell(this.witnessed(size, note));
  }

  /** Adds an event, and answers where its id leads to. Nobody asks for the id of one that was removed. */
  private add(event: LeafEvent): readonly { id: string; position: bigint; leaf: number }[] {
    const leaf = this.ledger.add(event);
    return event.pruned === undefined ? [{ id: idIn(event.json), position: event.position, leaf }] : [];
  }

  private keep(revision: number, through: number, { size, completeness }: SealedHead): void {
    const { streams, events, tasks, shredded } = completeness;
    const state = { size, revision, through, streams, events, tasks, shredded };
    this.file.commit(state);
    this.state = state;
  }

  /** Also after a crash between the record and the witness. Why it failed, in one line. */
  witnessLatest(): string | undefined {
    const latest = checkpointAt(this.parts.log, this.state.revision);
    return latest === undefined ? undefined : this.witnessed(latest.size, latest.note);
  }

  private witnessed(size: number, note: string): string | undefined {
    try {
      this.parts.witness?.write(this.parts.incarnation, size, note);
      return undefined;
    } catch (error) {
      const { code } = error as { code?: unknown };
      return `the witness cannot be written: ${typeof code === 'string' ? code : 'unknown'}`;
    }
  }

  private tell(trouble: string | undefined): void {
    this.trouble = trouble;
    this.parts.onStatus({ ...statusOf(this.parts.log), unsealedSinceMs: this.sinceMs, trouble });
  }
}
