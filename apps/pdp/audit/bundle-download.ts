import { Readable } from 'node:stream';
import type { CallIndex } from '../../../libs/audit/index/call-index.js';
import { err } from '../../../libs/kernel/result.js';
import { LogUnavailable } from '../../../libs/event-log/port.js';
import { SealUnavailable } from '../../../libs/seal/seal-thread.js';
import type { SealedEvidence } from '../../../libs/seal/messages.js';
import { Problem, unwrap } from '../edge/problem.js';
import type { Seal } from '../service/seal.js';
import type { AuditThread } from './thread/audit-thread.js';
import type { BundleStep } from './thread/bundle-session.js';

/** A bundle on its way to its reader. */
export interface BundleDownload {
  /** Events of the trace that no checkpoint has yet. */
  readonly unsealed: number;
  readonly body: Readable;
}

/** Exports bundles: the thread for auditors writes the pieces, and the sealer's thread proves them. */
export class BundleDownloads {
  private sessions = 0;

  constructor(
    private readonly thread: AuditThread,
    private readonly index: CallIndex,
    private readonly seal: Seal | undefined,
  ) {}

  /** Throws `Problem`, `LogUnavailable`, `KeyringUnavailable`, `IndexUnavailable`. */
  async start(auditor: string, traceId: string, content: 'include' | 'omit'): Promise<BundleDownload> {
    const { seal, thread } = this;
    if (seal === undefined) throw new Problem('not_found', 'this service makes no checkpoints');
    const session = (this.sessions += 1);
    const stamp = await this.index.stamp();
    const go = async (first: boolean): Promise<BundleStep> => {
      let answer: SealedEvidence | undefined;
      for (let begin = first; ; begin = false) {
        const step = await thread.step(
          auditor,
          begin
            ? { kind: 'bundle', session, traceId, content, stamp, keys: [seal.verifier] }
            : { kind: 'bundle_step', session, answer },
        );
        if (step.kind !== 'question') return step;
        answer = await askSeal(seal, step.query);
      }
    };
    try {
      const begun = await go(true);
      if (begun.kind === 'refused') return unwrap(err(begun.refusal));
      if (begun.kind !== 'begun') throw new Problem('not_found', 'nothing is sealed under this trace id');
      return {
        unsealed: begun.unsealed,
        body: Readable.from(this.pieces(auditor, session, go), { objectMode: false }),
      };
    } catch (error) {
      await this.end(auditor, session);
      throw error;
    }
  }

  /** A failure cuts the download: its reader sees that it is not whole. */
  private async *pieces(
    auditor: string,
    session: number,
    go: (first: boolean) => Promise<BundleStep>,
  ): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        const step = await go(false);
        if (step.kind === 'refused') unwrap(err(step.refusal));
        if (step.kind !== 'piece') return;
        yield Buffer.from(step.text);
      }
    } finally {
      await this.end(auditor, session);
    }
  }

  private async end(auditor: string, session: number): Promise<void> {
    await this.thread.step(auditor, { kind: 'bundle_end', session }).catch(() => undefined);
  }
}

async function askSeal(
  { thread }: Seal,
  query: Parameters<Seal['thread']['ask']>[0],
): Promise<SealedEvidence | undefined> {
  try {
    return (await thread.ask(query)) as SealedEvidence | undefined;
  } catch (error) {
    if (error instanceof SealUnavailable) throw new LogUnavailable(error.message);
    throw error;
  }
}
