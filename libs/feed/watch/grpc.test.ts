import { directiveFeedContract } from '../../../test/contracts/directive-feed.js';
import type { Beat } from '../beat.js';
import { grpcFeed } from './grpc.js';

directiveFeedContract('a stream of beats', (model) => {
  const streams = new Set<{ say: (beat: Beat) => void; cut: () => void }>();
  const watch = async function* watch(_request: object, signal: AbortSignal) {
    const waiting: Beat[] = [model.snapshot()];
    let isCut = false;
    let wake = (): void => undefined;
    const stream = {
      say: (beat: Beat) => (waiting.push(beat), wake()),
      cut: () => ((isCut = true), wake()),
    };
    streams.add(stream);
    signal.addEventListener('abort', stream.cut);
    try {
      for (;;) {
        while (waiting.length > 0) yield { ...waiting.shift() };
        if (isCut) throw new Error('cut');
        await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      streams.delete(stream);
    }
  };
  return Promise.resolve({
    feed: grpcFeed({ watch, instanceId: 'i', maxWaitMs: 100 }),
    publish: (beat) => Promise.resolve(streams.forEach(({ say }) => say(beat))),
    interrupt: () => Promise.resolve(streams.forEach(({ cut }) => cut())),
    dispose: () => Promise.resolve(),
  });
});
