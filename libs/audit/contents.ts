import { payloadPlace } from '#libs/decision-point/payload-place.js';
import type { TaskContent } from '#libs/decision-point/task-lane.js';
import { parseEvent, type Event } from '#libs/event-log/event.js';
import type { EventLog, RecordedEvent } from '#libs/event-log/port.js';
import { canonicalJson, isJsonObject, type Json } from '#libs/kernel/canonical-json.js';
import { commitmentTo, type Digest } from '#libs/kernel/digest.js';
import type { Keyring } from '#libs/payloads/keyring.js';
import { openPayload, verifyCommitments, type OpenedPayload } from '#libs/payloads/payload.js';

/** Why content is not there: its task's key is gone, or it is not what its event committed to. */
export type NoContent = 'shredded' | 'damaged';

/** As events hold them; what was not there has none. */
export type Commitments = Readonly<Record<string, Digest | undefined>>;

export interface OpenedContent {
  readonly parts: Readonly<Record<string, Json>>;
  /** Computed from the salts of the record, not copied from the event. */
  readonly commitments: Readonly<Record<string, Digest>>;
  readonly bytes: number;
}

/** Opens payload records for auditors, and believes them only where they are what their events committed to. */
export class Contents {
  constructor(
    private readonly log: EventLog,
    private readonly keys: Keyring,
  ) {}

  /** The content of an event of a task. Throws what the log and the keyring throw. */
  async of(
    event: Pick<RecordedEvent, 'stream' | 'revision'>,
    taskId: string,
    commitments: Commitments,
  ): Promise<OpenedContent | NoContent> {
    const key = await this.keys.get(taskId);
    if (key === undefined) return 'shredded';
    const bytes = await this.log.payload(event.stream, event.revision);
    const opened = bytes === undefined ? undefined : openPayload(key, payloadPlace(event), bytes);
    if (bytes === undefined || opened?.ok !== true) return 'damaged';
    if (!verifyCommitments(opened.value, commitments as Readonly<Record<string, Digest>>)) return 'damaged';
    return { parts: opened.value.parts, commitments: commitmentsOf(opened.value), bytes: bytes.byteLength };
  }

  /** Purpose and user attributes of a task; `opened` is its TaskOpened. */
  async ofTask(opened: RecordedEvent, taskId: string): Promise<TaskContent | NoContent> {
    const { data } = parseEvent(opened.json) as Event<string, { commitments: Commitments }>;
    const content = await this.of(opened, taskId, data.commitments);
    if (typeof content === 'string') return content;
    const { purpose, attributes } = content.parts;
    return typeof purpose === 'string' && isJsonObject(attributes) ? { purpose, attributes } : 'damaged';
  }
}

function commitmentsOf({ parts, salts }: OpenedPayload): Record<string, Digest> {
  const commitments = Object.create(null) as Record<string, Digest>;
  for (const [name, part] of Object.entries(parts)) {
    commitments[name] = commitmentTo(salts[name] ?? new Uint8Array(), canonicalJson(part));
  }
  return commitments;
}
