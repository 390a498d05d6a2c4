import type { DamagedPlace } from '../../../libs/event-log/port.js';
import { ServiceThread } from '../../../libs/threads/service-thread.js';
import type { SiemPage, SiemReply, SiemRequest, SiemThreadData } from './messages.js';

/** The thread that makes OCSF events could not do what was asked. The message is a code or one line. */
export class SiemFailure extends Error {
  override readonly name = 'SiemFailure';
}

/** After a failed start, requests fail with the same error for this long. */
const RESTART_MS = 1_000;
/** Limits for new objects: few outlive their page. */
const LIMITS = { maxYoungGenerationSizeMb: 16 } as const;

type Asked = SiemRequest extends infer Request ? (Request extends unknown ? Omit<Request, 'id'> : never) : never;

/** The main thread's side of the thread that makes OCSF events. Each lane asks once at a time, so few requests wait. */
export class SiemThread {
  private readonly thread: ServiceThread<SiemReply, string>;
  private readonly waiting = new Map<number, PromiseWithResolvers<SiemPage | undefined>>();
  private asked = 0;
  private isClosed = false;

  /** `onDamaged` hears of the damaged events that the thread reads. */
  constructor(
    data: SiemThreadData,
    private readonly onDamaged: (place: DamagedPlace) => void,
  ) {
    this.thread = new ServiceThread({
      script: new URL('./thread.js', import.meta.url),
      data,
      limits: LIMITS,
      restartMs: RESTART_MS,
      startError: (reason) => new SiemFailure(reason ?? 'its thread ended'),
      onAnswer: (reply) => this.answered(reply),
      onEnd: () => {
        for (const { reject } of this.waiting.values()) reject(new SiemFailure('its thread ended'));
        this.waiting.clear();
      },
    });
  }

  /** Throws `SiemFailure`. Starts the thread if it is not running. */
  async ask(request: Asked): Promise<SiemPage | undefined> {
    if (this.isClosed) throw new SiemFailure('the service is stopping');
    await this.thread.start();
    const id = (this.asked += 1);
    const answer = Promise.withResolvers<SiemPage | undefined>();
    this.waiting.set(id, answer);
    this.thread.post({ id, ...request });
    return answer.promise;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.thread.close();
  }

  private answered(reply: SiemReply): void {
    const waiting = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if ('failure' in reply) waiting?.reject(new SiemFailure(reply.failure));
    else {
      reply.page?.damaged?.forEach(this.onDamaged);
      waiting?.resolve(reply.page);
    }
  }
}
