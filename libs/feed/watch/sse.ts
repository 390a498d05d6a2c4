import { isJsonObject } from '../../kernel/canonical-json.js';
import { serverSentEvents } from '../../wire/server-sent-events.js';
import type { DirectiveFeed } from '../port.js';
import { resubscribing, type WatchTiming } from './resubscribe.js';

export interface SseOptions extends WatchTiming {
  /** Where the service is. */
  readonly url: URL;
  /** Bearer token of a host; read again for each connection, and never shown. */
  readonly token: () => string;
  /** The id of this process: the service counts the watch as a sign of life. */
  readonly instanceId: string;
  /** Largest event in UTF-16 units. The default fits a snapshot of the most directives that may be active. */
  readonly maxEventChars?: number;
}

const EVENTS = new Set(['snapshot', 'directive', 'heartbeat']);
const MAX_EVENT_CHARS = 80 * 1024 * 1024;

/** The service's own feed, as server-sent events of `GET /v1/directives/watch`. */
export function sseFeed(options: SseOptions): DirectiveFeed {
  const { url, token, instanceId, maxEventChars = MAX_EVENT_CHARS } = options;
  const follow = resubscribing(async function* watch(sinceEpoch, signal, alive) {
    const asked = new URL(`${url.href.replace(/\/+$/, '')}/v1/directives/watch`);
    if (sinceEpoch !== undefined) asked.searchParams.set('sinceEpoch', String(sinceEpoch));
    asked.searchParams.set('instanceId', instanceId);
    const headers = { accept: 'text/event-stream', 'cache-control': 'no-store', authorization: `Bearer ${token()}` };
    const response = await fetch(asked, { headers, signal, redirect: 'error' });
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
    if (!response.ok || !isStream || response.body === null) {
      await response.body?.cancel();
      throw new Error(response.ok ? 'the answer is no event stream' : `HTTP ${response.status}`);
    }
    const chunks = decoded(response.body, alive);
    for await (const { event, data } of serverSentEvents(chunks, maxEventChars)) {
      if (!EVENTS.has(event)) continue;
      const beat: unknown = JSON.parse(data);
      if (!isJsonObject(beat)) throw new Error('an event that is no beat');
      yield beat;
    }
  }, options);
  return { name: 'watch', follow };
}

/** The text of a body. Throws if it is not UTF-8. */
async function* decoded(body: AsyncIterable<Uint8Array>, alive: () => void): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const chunk of body) {
    alive();
    yield decoder.decode(chunk, { stream: true });
  }
}
