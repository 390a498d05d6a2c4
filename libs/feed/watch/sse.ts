import { isJsonObject } from '../../kernel/canonical-json.js';
import type { DirectiveFeed } from '../port.js';
import { resubscribing, type WatchTiming } from './resubscribe.js';

export interface SseOptions extends WatchTiming {
  /** Where the service is. */
  readonly url: URL;
  /** Bearer token of a host; asked for anew with each connection, and never shown. */
  readonly token: () => string;
  /** Of this process: the service counts the watch as a sign of life. */
  readonly instanceId: string;
  /** Largest event that is taken in, in characters: a snapshot of everything that may be active. */
  readonly maxEventChars?: number;
}

const EVENTS = new Set(['snapshot', 'directive', 'heartbeat']);
const MAX_EVENT_CHARS = 32 * 1024 * 1024;

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
    for await (const { event, data } of eventsIn(response.body, maxEventChars, alive)) {
      if (!EVENTS.has(event)) continue;
      const beat: unknown = JSON.parse(data);
      if (!isJsonObject(beat)) throw new Error('an event that is no beat');
      yield beat;
    }
  }, options);
  return { name: 'watch', follow };
}

interface SseEvent {
  readonly event: string;
  readonly data: string;
}

/** The events of a stream (lines end with LF or CRLF). Attacker-controlled: throws past `maxChars` for one event. */
async function* eventsIn(
  body: AsyncIterable<Uint8Array>,
  maxChars: number,
  alive: () => void,
): AsyncIterable<SseEvent> {
  let event = 'message';
  let data: string[] = [];
  let chars = 0;
  for await (const line of linesIn(body, maxChars, alive)) {
    if (line === '') {
      if (data.length > 0) yield { event, data: data.join('\n') };
      event = 'message';
      data = [];
      chars = 0;
      continue;
    }
    const [, field, value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === 'event') event = value;
    if (field !== 'data') continue;
    chars += value.length + 1;
    if (chars > maxChars) throw new Error('an event is too large');
    data.push(value);
  }
}

async function* linesIn(body: AsyncIterable<Uint8Array>, maxChars: number, alive: () => void): AsyncIterable<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let parts: string[] = [];
  let chars = 0;
  for await (const chunk of body) {
    alive();
    const [first = '', ...others] = decoder.decode(chunk, { stream: true }).split('\n');
    parts.push(first);
    chars += first.length;
    for (const other of others) {
      yield parts.join('').replace(/\r$/, '');
      parts = [other];
      chars = other.length;
    }
    if (chars > maxChars) throw new Error('a line is too long');
  }
}
