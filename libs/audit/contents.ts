import { createSecretKey, type KeyObject } from 'node:crypto';
import type { NoContent } from '../contract/tasks.js';
import { payloadPlace } from '../payloads/payload-place.js';
import type { LogReading, EventPlace, RecordedEvent } from '../event-log/port.js';
import type { Json } from '../kernel/canonical-json.js';
import type { Digest } from '../kernel/digest.js';
import type { KeyReading } from '../payloads/keyring.js';
import { openPayload, verifyCommitments } from '../payloads/payload.js';
import { taskContentOf, type TaskContent } from '../task/content.js';
import { families } from '../streams/catalogue.js';
import { isWhole } from './soundness.js';

/** Commitments as events hold them. A part that was absent has none. */
export type Commitments = Readonly<Record<string, Digest | undefined>>;

export interface OpenedContent {
  readonly parts: Readonly<Record<string, Json>>;
  /** Computed from the salts of the record, not copied from the event. */
  readonly commitments: Readonly<Record<string, Digest>>;
  /** The key of the task. */
  readonly key: KeyObject;
}

interface HeldTask {
  readonly key: KeyObject;
  content?: TaskContent | NoContent;
}

/** Payloads in one read; the log answers with fewer if they are large. */
const MAX_AHEAD = 256;
/** Tasks whose key and content are kept: the most that one trace may have. */
const MAX_TASKS = 20_000;

/**
 * Opens payload records for auditors, and checks each against the commitment in its event. An instance serves one
 * request, and reads no record twice.
 */
export class Contents {
  private readonly tasks = new Map<string, HeldTask | NoContent>();
  private expected: readonly EventPlace[] = [];
  private readonly order = new Map<string, number>();
  /** Payloads that were read ahead and are not used yet: at most one page of the log. */
  private ahead = new Map<string, Uint8Array | undefined>();

  constructor(
    private readonly log: Pick<LogReading, 'read' | 'payloads'>,
    private readonly keys: Pick<KeyReading, 'get'>,
  ) {}

  /** Announces the events whose content will be opened, in their order, so that many are read at a time. */
  expect(places: readonly EventPlace[]): void {
    this.expected = places;
    this.order.clear();
    for (const [index, place] of places.entries()) this.order.set(payloadPlace(place), index);
  }

  /** Reads the first announced payloads ahead. Throws what the log throws. */
  async readAhead(): Promise<void> {
    if (this.expected.length > 0) await this.readFrom(0);
  }

  /** The content of an event of a task. Throws what the log and the keyring throw. */
  async of(event: EventPlace, taskId: string, commitments: Commitments): Promise<OpenedContent | NoContent> {
    const task = await this.task(taskId);
    if (typeof task === 'string') return task;
    const bytes = await this.payload(event);
    const opened = bytes === undefined ? undefined : openPayload(task.key, payloadPlace(event), bytes);
    if (bytes === undefined || opened?.ok !== true) return 'damaged';
    const computed = verifyCommitments(opened.value, commitments);
    if (computed === undefined) return 'damaged';
    return { parts: opened.value.parts, commitments: computed, key: task.key };
  }

  /** The content of a task; `opened` is its TaskOpened. */
  async ofTask(opened: RecordedEvent, taskId: string): Promise<TaskContent | NoContent> {
    const task = await this.task(taskId);
    if (typeof task === 'string') return task;
    return (task.content ??= await this.readTask(opened, taskId));
  }

  private async readTask(opened: RecordedEvent, taskId: string): Promise<TaskContent | NoContent> {
    if (!isWhole(opened)) return 'damaged';
    const read = families.task.readWhole(opened.json);
    if (!read.ok || read.value.type !== 'TaskOpened') return 'damaged';
    const content = await this.of(opened, taskId, read.value.data.commitments);
    if (typeof content === 'string') return content;
    return taskContentOf(content.parts, read.value.data) ?? 'damaged';
  }

  private async task(taskId: string): Promise<HeldTask | NoContent> {
    const held = this.tasks.get(taskId);
    if (held !== undefined) return held;
    const key = await this.keys.get(taskId);
    const task = key === undefined ? await this.withoutKey(taskId) : { key: createSecretKey(key) };
    if (this.tasks.size >= MAX_TASKS) this.tasks.delete(this.tasks.keys().next().value as string);
    this.tasks.set(taskId, task);
    return task;
  }

  /** A key is gone for a reason that the log has, or it was lost. */
  private async withoutKey(taskId: string): Promise<NoContent> {
    const events = await this.log.read(families.task.stream(taskId));
    const isShredded = events.some((event) => event.type === 'TaskShredded' && isWhole(event));
    return isShredded ? 'shredded' : 'key_missing';
  }

  private async payload(place: EventPlace): Promise<Uint8Array | undefined> {
    const name = payloadPlace(place);
    if (!this.ahead.has(name)) {
      const at = this.order.get(name);
      if (at === undefined) return (await this.log.payloads([place]))[0];
      await this.readFrom(at);
    }
    const bytes = this.ahead.get(name);
    this.ahead.delete(name);
    return bytes;
  }

  private async readFrom(at: number): Promise<void> {
    const asked = this.expected.slice(at, at + MAX_AHEAD);
    const found = await this.log.payloads(asked);
    this.ahead = new Map(asked.slice(0, found.length).map((place, index) => [payloadPlace(place), found[index]]));
  }
}
