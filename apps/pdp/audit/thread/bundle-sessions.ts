import type { IndexStamp } from '../../../../libs/audit/index/reading.js';
import { exportBundle, type ExportSources } from '../../../../libs/bundle/export.js';
import { LogUnavailable } from '../../../../libs/event-log/port.js';
import { BundleSession, type BundleStep } from './bundle-session.js';
import type { BundleRequest } from './messages.js';

/** The exports that are under way in the thread. As many as the downloads that the service admits at once. */
export class BundleSessions {
  private readonly sessions = new Map<number, BundleSession>();

  constructor(private readonly sourcesAt: (stamp: IndexStamp) => Omit<ExportSources, 'proofs'>) {}

  /** Begins, continues or ends an export. Throws what the stores throw. */
  async step(request: BundleRequest): Promise<BundleStep> {
    const { session } = request;
    switch (request.kind) {
      case 'bundle':
        return this.begun(request).step(undefined);
      case 'bundle_step': {
        const found = this.sessions.get(session);
        // The thread was started again meanwhile.
        if (found === undefined) throw new LogUnavailable('the export was interrupted');
        return found.step(request.answer);
      }
      case 'bundle_end':
        this.sessions.delete(session);
        return { kind: 'end' };
    }
  }

  private begun({ session, traceId, content, stamp, keys }: Extract<BundleRequest, { kind: 'bundle' }>): BundleSession {
    const begun = new BundleSession(keys, (proofs) =>
      exportBundle({ ...this.sourcesAt(stamp), proofs }, traceId, content),
    );
    this.sessions.set(session, begun);
    return begun;
  }
}
