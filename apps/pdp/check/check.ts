import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { INDEX_FILE } from '../../../libs/audit/index/file-reader.js';
import { KEYS_FILE } from '../../../libs/backup/manifest.js';
import { incarnationIn } from '../../../libs/backup/incarnation.js';
import { categoryOf } from '../../../libs/event-log/event.js';
import type { RecordedEvent } from '../../../libs/event-log/port.js';
import { openLogPages } from '../../../libs/event-log/sqlite/log-pages.js';
import { openLogWalk, type LogWalk, type WalkedEvent } from '../../../libs/event-log/sqlite/log-walk.js';
import { verifySealed } from '../../../libs/event-log/verify.js';
import { canonicalJson } from '../../../libs/kernel/canonical-json.js';
import { digestOfBytes, type Digest } from '../../../libs/kernel/digest.js';
import { taskKeyDigest } from '../../../libs/payloads/keyring.js';
import { openKeyringCopy, type KeyringCopy } from '../../../libs/payloads/keyring-copy.js';
import { openPayload, verifyCommitments } from '../../../libs/payloads/payload.js';
import { SealCheck } from '../../../libs/seal/check-seals.js';
import { SealFault } from '../../../libs/seal/fault.js';
import { checkpointOf, type Checkpointed } from '../../../libs/seal/seal-log.js';
import { compareWitness } from '../../../libs/seal/witness-check.js';
import { codeOf } from '../../../libs/sqlite-file/codes.js';
import { families, familyOf } from '../../../libs/streams/catalogue.js';
import { noteVerifier, type NoteVerifier } from '../../../libs/transparency/note.js';
import { documentsOf } from './documents.js';
import { IndexCheck } from './index-check.js';
import { PrunedCheck } from './pruned.js';
import { RestoresCheck } from './restores.js';
import { TileCheck } from './tile-check.js';
import { UsersCheck } from './users-check.js';

export interface CheckedFolder {
  /** Each damage, with its place. */
  readonly damages: readonly string[];
  /** Restores of the log: they are no damage, and a rollback may look like one. */
  readonly warnings: readonly string[];
  /** What was checked, in one line. */
  readonly summary: string;
}

/** More damages than this are counted and not listed. */
const MAX_LISTED = 1_000;
const LOG_KEY_FILE = 'log-key.pem';
const SEAL_FILE = 'seal.db';

/**
 * Walks a data folder whole, also while a service runs on it, and changes nothing. It reads events, payloads, keys,
 * documents, the index of calls, checkpoints and witness. Throws the errors of SQLite if a file cannot be opened.
 */
export function checkFolder(settings: {
  readonly dataDir: string;
  readonly logFile: string;
  readonly witnessDir: string | undefined;
}): CheckedFolder {
  using open = new DisposableStack();
  const index = open.adopt(new IndexCheck(join(settings.dataDir, INDEX_FILE)), (each) => each.close());
  const log = open.adopt(openLogWalk(settings.logFile), (each) => each.close());
  const keys = open.adopt(openKeyringCopy(join(settings.dataDir, KEYS_FILE)), (each) => each.close());
  return new FolderCheck(settings, log, keys, index).run();
}

class FolderCheck {
  private readonly damages: string[] = [];
  private unlisted = 0;
  private readonly revisions = new Map<string, number>();
  private readonly taskKeys = new Map<string, Digest | undefined>();
  private readonly shredded = new Set<string>();
  private readonly content: {
    readonly event: WalkedEvent;
    readonly taskId: string;
    readonly commitments: Commitments;
  }[] = [];
  private readonly documents = new Map<string, string>();
  private readonly decided = new Map<number, number>();
  private readonly pruned: PrunedCheck;
  private readonly users = new UsersCheck();
  private readonly restores = new RestoresCheck();
  private first: string | undefined;
  private events = 0;

  constructor(
    private readonly settings: Parameters<typeof checkFolder>[0],
    private readonly log: LogWalk,
    private readonly keys: KeyringCopy,
    private readonly index: IndexCheck,
  ) {
    this.pruned = new PrunedCheck(log);
  }

  run(): CheckedFolder {
    for (const [name, store] of [
      ['the log', this.log],
      [KEYS_FILE, this.keys],
    ] as const)
      for (const fault of store.faults()) this.damaged(`${name}: ${fault}`);
    const keyOf = this.logKey();
    const tiles = new TileCheck(join(this.settings.dataDir, SEAL_FILE));
    const seals = new SealCheck(this.checkpoints(), keyOf, (place) => this.damaged(place), tiles.onNode);
    for (const event of this.log.events()) {
      // The index is made from the log again after a removal.
      if (event.pruned !== undefined) this.takePruned(event, seals);
      else this.index.add(event, this.takeEvent(event, seals));
    }
    const { agreeing, unsealed, through } = seals.end();
    const wrongTile = tiles.end();
    tiles.close();
    // A log that is not whole has another tree.
    if (wrongTile !== undefined && this.found() === 0) this.damaged(wrongTile);
    const pruned = this.pruned.end(through, (place) => this.damaged(place));
    const opened = this.checkContent();
    const users = this.users.end(this.keys, (place) => this.damaged(place));
    const documents = this.checkDocuments();
    const { rows, damages } = this.index.end(this.decided, this.found() === 0);
    for (const place of damages) this.damaged(`the index of calls: ${place}`);
    const witnessed = this.checkWitness(keyOf);
    const counts = [
      `${this.events} events in ${this.revisions.size} streams`,
      `${agreeing} checkpoints, ${unsealed} events after them`,
      ...(pruned === 0 ? [] : [`${pruned} events that were archived and removed`]),
      `${opened} payloads`,
      `${this.taskKeys.size} tasks (${this.shredded.size} shredded)`,
      `${users} users`,
      `${documents} documents`,
      `${rows} rows of the index`,
      witnessed,
    ];
    const warnings = this.restores.warnings();
    return { damages: this.listed(), warnings, summary: `checked: ${counts.join(', ')}; ${this.found()} damages` };
  }

  private damaged(place: string): false {
    if (this.damages.length < MAX_LISTED) this.damages.push(place);
    else this.unlisted += 1;
    return false;
  }

  private found(): number {
    return this.damages.length + this.unlisted;
  }

  private listed(): string[] {
    return this.unlisted === 0 ? this.damages : [...this.damages, `and ${this.unlisted} more`];
  }

  private logKey(): (origin: string) => NoteVerifier | undefined {
    const file = join(this.settings.dataDir, LOG_KEY_FILE);
    let key: KeyObject | undefined;
    try {
      if (existsSync(file)) key = createPublicKey(readFileSync(file));
    } catch {
      this.damaged(`${LOG_KEY_FILE}: is not a key`);
    }
    return (origin) => (key === undefined ? undefined : noteVerifier(origin, key));
  }

  /** The checkpoints of the log. The walk finds damaged ones, as it finds any damaged event. */
  private checkpoints(): Checkpointed[] {
    const found: Checkpointed[] = [];
    for (const { category, json } of this.log.events()) {
      if (category !== families.seal.category) continue;
      const read = families.seal.readWhole(json);
      if (read.ok) found.push(checkpointOf({ json, revision: read.value.revision }));
    }
    if (found.length > 0 && !existsSync(join(this.settings.dataDir, LOG_KEY_FILE)))
      this.damaged(`${LOG_KEY_FILE}: is missing, so no signature can be verified`);
    return found;
  }

  /** A removed event. Its leaf is held against the checkpoints like any other. */
  private takePruned(event: WalkedEvent, seals: SealCheck): void {
    const { position, stream = '', revision } = event;
    this.events += 1;
    this.revisions.set(stream, revision);
    this.pruned.take(event);
    seals.add({ ...event, stream, position: BigInt(position) });
  }

  /** Whether the event is whole. */
  private takeEvent(event: WalkedEvent, seals: SealCheck): boolean {
    this.events += 1;
    const { position, stream, revision, json } = event;
    const at = `position ${position}`;
    const head = verifySealed(json);
    if (head === undefined) return this.damaged(`${at}: the event is not what was written`);
    if (
      head.stream !== stream ||
      head.revision !== revision ||
      head.type !== event.type ||
      categoryOf(head.stream) !== event.category
    )
      return this.damaged(
        `${at}: the event is ${head.stream}@${head.revision}, and its row is of ${stream ?? 'no stream'}@${revision}`,
      );
    if (!isCanonical(json)) this.damaged(`${at}: the event is not in canonical form`);
    const before = this.revisions.get(stream) ?? 0;
    if (revision !== before + 1) this.damaged(`${at}: ${stream}@${revision} follows ${stream}@${before}`);
    this.revisions.set(stream, revision);
    const family = familyOf(stream);
    const read = family?.readWhole(json);
    if (family === undefined || read?.ok !== true)
      return this.damaged(`${at}: ${stream}@${revision} is no event that this version reads`);
    if (family.role !== 'bookkeeping') {
      this.first ??= json;
      seals.add({ ...event, stream, position: BigInt(position) } satisfies RecordedEvent);
    }
    this.pruned.present(position, read.value);
    this.users.add(position, read.value);
    this.restores.add(position, read.value, json);
    this.note(event, read.value.type, read.value.data as Record<string, unknown>);
    return true;
  }

  private note(event: WalkedEvent, type: string, data: Record<string, unknown>): void {
    const { stream = '', position, revision } = event;
    const taskId = families.task.idOf(stream) ?? families.calls.idOf(stream);
    if (type === 'CallDecided' || type === 'CallRefused') this.decided.set(position, revision);
    for (const digest of documentsOf(type, data)) this.documents.set(digest, `${stream}@${revision}`);
    if (taskId === undefined) return;
    if (type === 'TaskOpened') this.taskKeys.set(taskId, data['keyDigest'] as Digest | undefined);
    if (type === 'TaskShredded') this.shredded.add(taskId);
    const commitments = data['commitments'] as Commitments | undefined;
    if (commitments !== undefined && Object.keys(commitments).length > 0)
      this.content.push({ event, taskId, commitments });
  }

  /** Each commitment has its payload, each payload its event. Returns how many payloads were decrypted. */
  private checkContent(): number {
    let opened = 0;
    const committed = new Set<number>();
    const told = new Set<string>();
    for (const { event, taskId, commitments } of this.content) {
      committed.add(event.position);
      const key = this.keys.keyOf(taskId);
      const place = `${event.stream}@${event.revision}`;
      if (!(key instanceof Uint8Array)) {
        if (!this.shredded.has(taskId) && !told.has(taskId))
          this.damaged(`task ${taskId}: its key is missing, and no TaskShredded says so`);
        told.add(taskId);
        continue;
      }
      const digest = this.taskKeys.get(taskId);
      if (digest !== undefined && taskKeyDigest(key) !== digest && !told.has(taskId)) {
        this.damaged(`task ${taskId}: its key is another than the one of its opening`);
        told.add(taskId);
      }
      const bytes = this.log.payload(event.position);
      if (bytes === undefined) {
        const fault = this.pruned.faultOf(taskId, event.position);
        if (fault !== undefined)
          this.damaged(`position ${event.position}: the payload of ${place} is missing, and ${fault}`);
      } else {
        const record = openPayload(createSecretKey(key), place, bytes);
        const isSame = record.ok && verifyCommitments(record.value, commitments) !== undefined;
        if (isSame) opened += 1;
        else
          this.damaged(`position ${event.position}: the payload of ${place} is not the one that its event commits to`);
      }
    }
    for (const position of this.log.payloadPositions())
      if (!committed.has(position)) this.damaged(`position ${position}: a payload that no event commits to`);
    for (const taskId of this.shredded)
      if (this.keys.keyOf(taskId) instanceof Uint8Array)
        this.damaged(`task ${taskId}: was shredded, and its key is there`);
    return opened;
  }

  private checkDocuments(): number {
    const present = new Set<string>();
    for (const { digest, bytes } of this.log.blobs()) {
      present.add(digest);
      if (digestOfBytes(bytes) !== digest) this.damaged(`document ${digest}: has other bytes`);
    }
    for (const [digest, place] of this.documents)
      if (!present.has(digest)) this.damaged(`document ${digest}: is missing, and ${place} names it`);
    return present.size;
  }

  private checkWitness(keyOf: (origin: string) => NoteVerifier | undefined): string {
    const { witnessDir, logFile } = this.settings;
    if (witnessDir === undefined) return 'no witness';
    const pages = openLogPages(logFile);
    try {
      const key = (origin: string): NoteVerifier => {
        const found = keyOf(origin);
        if (found === undefined) throw new SealFault(`${LOG_KEY_FILE}: is missing, so the witness cannot be compared`);
        return found;
      };
      const { agreeing, lacking } = compareWitness(
        pages,
        witnessDir,
        incarnationIn(this.first, this.restores.last),
        key,
      );
      this.restores.lacking = lacking;
      return `${agreeing} checkpoints of the witness`;
    } catch (error) {
      this.damaged(error instanceof SealFault ? error.message : `the witness ${witnessDir}: ${codeOf(error)}`);
      return 'the witness';
    } finally {
      pages.close();
    }
  }
}

type Commitments = Readonly<Record<string, Digest | undefined>>;

function isCanonical(json: string): boolean {
  try {
    return canonicalJson(JSON.parse(json)) === json;
  } catch {
    return false;
  }
}
