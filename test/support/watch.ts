import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Answered } from './service.js';

/** One server-sent event, and when it came by `performance.now()`. */
export interface Told {
  readonly event: string;
  readonly id: string;
  readonly data: Answered;
  readonly atMs: number;
}

/** The feed of directives as a host hears it. */
export interface Watch {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** All that came so far. */
  readonly told: readonly Told[];
  /** The next event that fits and was not given before. Rejects once the stream has ended, or after `withinMs`. */
  next(fits?: (told: Told) => boolean, withinMs?: number): Promise<Told>;
  /** Resolves when the stream has ended, from whichever side. */
  readonly ended: Promise<void>;
  readonly asked: ClientRequest;
  close(): void;
}

const WITHIN_MS = 5000;

/** Opens a watch. The caller closes it. An answer that is no stream has its problem as the only event's data. */
export async function watchOver(
  url: string,
  token: string | undefined,
  query = '',
  headers: Record<string, string> = {},
): Promise<Watch> {
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const asked = request(`${url}/v1/directives/watch${query}`, {
    agent: false,
    headers: { ...authorization, ...headers },
  });
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    asked.on('response', resolve).on('error', reject).end();
  });
  asked.on('error', () => undefined);
  const told: Told[] = [];
  let given = 0;
  let left = '';
  let isOver = false;
  let wake = (): void => undefined;
  const isStream = /event-stream/.test(answer.headers['content-type'] ?? '');
  answer.setEncoding('utf8').on('data', (text: string) => {
    left += text;
    const frames = isStream ? left.split('\n\n') : [left];
    left = isStream ? (frames.pop() ?? '') : left;
    if (isStream) told.push(...frames.map(toldIn));
    wake();
  });
  const ended = new Promise<void>((resolve) => {
    answer.once('close', () => {
      isOver = true;
      if (!isStream) told.push({ event: 'problem', id: '', data: JSON.parse(left), atMs: performance.now() });
      wake();
      resolve();
    });
  });
  answer.on('error', () => undefined);
  return {
    status: answer.statusCode ?? 0,
    headers: answer.headers,
    told,
    ended,
    asked,
    close: () => asked.destroy(),
    async next(fits = () => true, withinMs = WITHIN_MS) {
      const untilMs = performance.now() + withinMs;
      for (;;) {
        const found = told.findIndex((each, index) => index >= given && fits(each));
        const each = told[found];
        if (each !== undefined) {
          given = found + 1;
          return each;
        }
        if (isOver) throw new Error('the stream has ended');
        const leftMs = untilMs - performance.now();
        if (leftMs <= 0) throw new Error(`nothing that fits within ${withinMs} ms`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, leftMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
  };
}

function toldIn(frame: string): Told {
  const lines = frame.split('\n').map((line) => /^(\w+): (.*)$/.exec(line) ?? []);
  const value = (name: string): string => lines.find(([, key]) => key === name)?.[2] ?? '';
  return { event: value('event'), id: value('id'), data: JSON.parse(value('data')), atMs: performance.now() };
}
