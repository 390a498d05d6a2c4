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

/** The judgement of a response, for one attempt and one output schema. */
interface Judgement {
  readonly attempt: number;
  /** Absent if the response does not have to match one. */
  readonly schema: Digest | undefined;
  readonly judged: Judged;
}

/** A response on its way to its record. Its findings are kept, however often recording is tried. */
export class Submission {
  private judgement: Judgement | undefined;
  private sealing: Sealed | undefined;
  /** Ends the response's turn to be recorded, if it took one. */
  endTurn: (() => void) | undefined;

  private constructor(
    readonly text: ResponseText,
    readonly taskId: string,
    /** The whole request, if it is small. */
    readonly request: ResponseRequest | undefined,
  ) {}

  /**
   * Finds the task of a response. Reads only the first member of a large one, if that names the task. The rest is read
   * once its call is known to be allowed.
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

  /** The judgement for an attempt and this output schema. Undefined if it is still to be made. */
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

/** The task that a body names as its first member. Reading the text later refuses a second such member. */
function taskIdIn(text: ResponseText): string | undefined {
  const taskId = 'body' in text ? firstTaskId(text.body) : text.taskId;
  return UUID_PATTERN.test(taskId) ? taskId.toLowerCase() : undefined;
}

function firstTaskId({ buffer, byteOffset, byteLength }: Uint8Array): string {
  const head = Buffer.from(buffer, byteOffset, Math.min(byteLength, HEAD_BYTES)).toString('latin1');
  return HEAD.exec(head)?.[1] ?? '';
}

/** The same text in memory that threads can share: it is copied once, however often it is used. */
function sharedText(text: ResponseText): ResponseText {
  if ('body' in text) return { body: sharedIfLarge(text.body) };
  const { taskId, result, error } = text;
  return { taskId, result: result && sharedIfLarge(result), error: error && sharedIfLarge(error) };
}
