import type { KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import { incarnationIn } from '../backup/incarnation.js';
import { codeOf } from '../sqlite-file/codes.js';
import { makeFolder } from '../sqlite-file/make-folder.js';
import { families } from '../streams/catalogue.js';
import { openCheckpoint, parseCheckpoint } from '../transparency/checkpoint.js';
import { noteVerifier } from '../transparency/note.js';
import { SealFault } from './fault.js';
import type { FromSealer, ToSealer } from './messages.js';
import { answerTo, UnfitFile } from './queries.js';
import { lastCheckpoint, originOf, statusOf, type SealLog } from './seal-log.js';
import { LEAF_CATEGORIES, Sealer } from './sealer.js';
import { WitnessFolder } from './witness.js';
import { compareWitness } from './witness-check.js';

/** The data that the thread is started with. */
export interface SealerData {
  readonly logFile: string;
  readonly file: string;
  readonly key: KeyObject;
  readonly origin: string | undefined;
  readonly witness: string | undefined;
}

/** How often the thread looks whether the log has grown, in milliseconds. */
const POLL_MS = 100;
/** After a fault of the log, in milliseconds: the fault is there until somebody mends it. */
const FAULT_MS = 2_000;
/** Checkpoints of the witness that a start compares. */
const COMPARED_AT_START = 64;

/** The body of the sealer's thread. Compares the log with its witness first, and says what it found. */
export async function runSealer(port: MessagePort, data: SealerData, log: SealLog): Promise<void> {
  let body: SealerBody;
  try {
    body = new SealerBody(port, data, log);
  } catch (error) {
    log.close();
    port.postMessage({ kind: 'refused', reason: reasonOf(error) } satisfies FromSealer);
    return port.close();
  }
  await body.run();
  port.close();
}

class SealerBody {
  private readonly sealer: Sealer;
  private appended: ((failure: string | undefined) => void) | undefined;
  private asked: Extract<ToSealer, { kind: 'ask' }>[] = [];
  private readonly stopped = Promise.withResolvers<void>();
  private stopping = false;
  /** A step that waits for its append holds a transaction. Queries wait, because the file shows what is not sealed yet. */
  private stepping = false;

  /** Throws `SealFault` if the log is not the one that its key or its witness knows. */
  constructor(
    private readonly port: MessagePort,
    { file, key, origin: set, witness: folder }: SealerData,
    private readonly log: SealLog,
  ) {
    const origin = originOf(log, LEAF_CATEGORIES, set);
    const incarnation = incarnationOf(log);
    const keyOf = (name: string) => noteVerifier(name, key);
    refuseOtherKey(log, keyOf);
    const notice = folder === undefined ? undefined : witnessed(log, folder, incarnation, keyOf);
    this.sealer = new Sealer({
      log,
      file,
      key,
      origin,
      incarnation,
      witness: folder === undefined ? undefined : new WitnessFolder(folder),
      nowMs: () => Date.now(),
      onStatus: (status) => this.send({ kind: 'status', status }),
      append: (revision, sealing) => {
        this.send({ kind: 'append', revision, data: sealing });
        return new Promise((resolve) => (this.appended = resolve));
      },
    });
    const status = { ...statusOf(log), unsealedSinceMs: undefined, trouble: undefined };
    this.send({ kind: 'ready', origin, notice, status });
    port.on('message', (message: ToSealer) => this.take(message));
  }

  /** Runs until the owner closes it. Then it seals the log to its end, unless sealing fails. */
  async run(): Promise<void> {
    for (;;) {
      if (this.stopping) break;
      const more = await this.step(false);
      const waitMs = more ? 0 : this.sealer.isFaulty ? FAULT_MS : POLL_MS;
      await Promise.race([this.stopped.promise, pause(waitMs)]);
    }
    for (let more = true; more && !this.sealer.isFaulty;) more = await this.step(true);
    this.sealer.close();
  }

  private send(message: FromSealer): void {
    this.port.postMessage(message);
  }

  private take(message: ToSealer): void {
    if (message.kind === 'appended') return this.appended?.(message.failure);
    if (message.kind === 'close') {
      this.stopping = true;
      return this.stopped.resolve();
    }
    this.asked.push(message);
    if (!this.stepping) this.answerAll();
  }

  private async step(now: boolean): Promise<boolean> {
    this.stepping = true;
    try {
      return await this.sealer.step(now);
    } finally {
      this.stepping = false;
      this.answerAll();
    }
  }

  private answerAll(): void {
    const asked = this.asked;
    this.asked = [];
    for (const { id, query } of asked) {
      try {
        const { state, file, ledger } = this.sealer.sealed;
        const answer = answerTo({ log: this.log, file, ledger, revision: state.revision }, query);
        this.send({ kind: 'answer', id, answer });
      } catch (error) {
        // A tile that lacks a hash is a `RangeError`.
        if (error instanceof UnfitFile || error instanceof RangeError) this.sealer.rebuild();
        this.send({ kind: 'answer', id, failure: reasonOf(error) });
      }
    }
  }
}

type KeyOf = (origin: string) => ReturnType<typeof noteVerifier>;

function incarnationOf(log: SealLog): number {
  const stream = families.log.stream();
  const [restore] = log.stream(stream, Math.max(0, log.head(stream) - 1), 1);
  const [first] = log.all(0, LEAF_CATEGORIES, 1);
  return incarnationIn(first?.json, restore?.json);
}

/** The last checkpoint must be of the key that the data folder has. Throws `SealFault`. */
function refuseOtherKey(log: SealLog, keyOf: KeyOf): void {
  const last = lastCheckpoint(log);
  if (last === undefined) return;
  const parsed = parseCheckpoint(last.note);
  const opened = parsed.ok ? openCheckpoint(last.note, keyOf(parsed.value.origin)) : parsed;
  if (!opened.ok)
    throw new SealFault(`checkpoint ${last.revision} of the log and the key in log-key.pem: ${opened.error}`);
}

function witnessed(log: SealLog, folder: string, incarnation: number, keyOf: KeyOf): string | undefined {
  try {
    if (lastCheckpoint(log) === undefined) makeFolder(folder);
    else if (!existsSync(folder))
      throw new SealFault(
        `SALLYPORT_WITNESS_DIR: ${folder} does not exist, and the log has checkpoints. Is its volume mounted? A new witness needs an empty folder`,
      );
    return compareWitness(log, folder, incarnation, keyOf, COMPARED_AT_START).notice;
  } catch (error) {
    if (error instanceof SealFault) throw error;
    const isSystem = error instanceof Error && 'errno' in error;
    const reason = isSystem ? `${folder} cannot be used: ${codeOf(error)}` : reasonOf(error);
    throw new SealFault(`SALLYPORT_WITNESS_DIR: ${reason}`);
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : 'the thread that seals failed');
