import { defined } from '../../kernel/defined.js';
import type { DirectiveFeed } from '../port.js';
import { resubscribing, type WatchTiming } from './resubscribe.js';

export interface GrpcFeedOptions extends WatchTiming {
  readonly instanceId: string;
  /** Opens `Directives.Watch`; ends or throws with the stream. */
  readonly watch: (
    request: { readonly sinceEpoch?: number; readonly instanceId: string },
    signal: AbortSignal,
  ) => AsyncIterable<Readonly<Record<string, unknown>>>;
}

/** The service's own feed as a gRPC server stream. */
export function grpcFeed({ instanceId, watch, ...timing }: GrpcFeedOptions): DirectiveFeed {
  const follow = resubscribing(async function* heard(sinceEpoch, signal, alive) {
    for await (const beat of watch(defined({ sinceEpoch, instanceId }), signal)) {
      alive();
      yield beat;
    }
  }, timing);
  return { name: 'watch', follow };
}
