import type { ResponseRequest } from '../calls/requests.js';
import { isSmall, sharedIfLarge, type ContentDesk, type Judged } from './content-desk.js';
import type { ResponseText } from './content-jobs.js';
import type { PayloadPart } from '../payloads/payload.js';
import type { Refusal } from '../kernel/refusal.js';
import type { Digest } from '../kernel/digest.js';
import { ok, type Result } from '../kernel/result.js';
import { UUID_PATTERN } from '../kernel/ids.js';

/** A record that was sealed for one place. */
interface Sealed {
  readonly place: string;
  readonly parts: readonly PayloadPart[];
  readonly bytes: Uint8Array;
}

/** What was judged, for which attempt, and against which output schema. */
interface Judgement {
  readonly attempt: number;
  /** Absent if the answer is not held to one. */
  readonly schema: Digest | undefined;
  readonly judged: Judged;
}

/** A response on its way to its record: what has been found out about it is kept, however often recording is tried. */
export class Submission {
  private judgement: Judgement | undefined;
  private sealing: Sealed | undefined;
  /** Ends the turn in which it is recorded, if it needs one. */
  endTurn: (() => void) | undefined;

  private constructor(
    readonly text: ResponseText,
    readonly taskId: string,
    /** All of it, if it is small. */
    readonly request: ResponseRequest | undefined,
  ) {}

  /**
   * Finds out whose response it is. Of a large one no more is read than its first member, if that says so: it is worked on
   * once it is known that its call was allowed.
   */
  static async of(desk: ContentDesk, owner: string, text: ResponseText): Promise<Result<Submission, Refusal>> {
    const isLarge = !isSmall(text);
    const known = isLarge ? taskIdIn(text) : undefined;
    const shared = sharedText(text);
    if (known !== undefined) return ok(new Submission(shared, known, undefined));
    const read = await desk.read(owner, shared);
    if (!read.ok) return read;
    const { taskId, result, error } = read.value;
    const isWhole = result !== undefined || error !== undefined;
    return ok(new Submission(shared, taskId, isWhole ? { taskId, result, error } : undefined));
  }

  /** What was judged for an attempt and against this output schema; undefined if that is still to be done. */
  judgedFor(attempt: number, schema: Digest | undefined): Judged | undefined {
    const { judgement } = this;
    return judgement?.attempt === attempt && judgement.schema === schema ? judgement.judged : undefined;
  }

  keepJudged(judgement: Judgement): void {
    this.judgement = judgement;
  }

  sealedFor(place: string, parts: readonly PayloadPart[]): Uint8Array | undefined {
    const { sealing } = this;
    const same = sealing?.place === place && sealing.parts.length === parts.length;
    return same && parts.every((part, index) => part === sealing.parts[index]) ? sealing.bytes : undefined;
  }

  keepSealed(sealed: Sealed): void {
    this.sealing = sealed;
  }
}

const HEAD_BYTES = 128;
const HEAD = /^\s*\{\s*"taskId"\s*:\s*"([^"\\]{36})"\s*[,}]/;

/** The task that a body names as its first member. A second such member would be refused when the text is read. */
function taskIdIn(text: ResponseText): string | undefined {
  const taskId = 'body' in text ? firstTaskId(text.body) : text.taskId;
  return UUID_PATTERN.test(taskId) ? taskId.toLowerCase() : undefined;
}

function firstTaskId({ buffer, byteOffset, byteLength }: Uint8Array): string {
  const head = Buffer.from(buffer, byteOffset, Math.min(byteLength, HEAD_BYTES)).toString('latin1');
  return HEAD.exec(head)?.[1] ?? '';
}

/** The same in memory that threads can share: it is copied once, however often it is worked on. */
function sharedText(text: ResponseText): ResponseText {
  if ('body' in text) return { body: sharedIfLarge(text.body) };
  const { taskId, result, error } = text;
  return { taskId, result: result && sharedIfLarge(result), error: error && sharedIfLarge(error) };
}
