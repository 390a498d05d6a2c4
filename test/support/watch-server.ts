import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Beat } from '../../libs/feed/beat.js';

export interface WatchServer {
  readonly url: URL;
  /** The queries of the watches so far, in order. */
  readonly asked: URLSearchParams[];
  readonly open: number;
  publish(beat: Beat): void;
  /** Writes bytes as they are to all who watch. */
  write(text: string): void;
  /** Ends all connections as a crash would. */
  cut(): void;
  /** The beginning of a new watch: a snapshot, nothing at all, or a refusal. */
  greet: 'snapshot' | 'silence' | number;
  close(): Promise<void>;
}

/** The service's watch and nothing else, as a server that can be made to misbehave. */
export async function watchServer(snapshot: () => Beat): Promise<WatchServer> {
  const watching = new Set<ServerResponse>();
  const asked: URLSearchParams[] = [];
  const write = (text: string) => {
    for (const response of watching) response.write(text);
  };
  const server = createServer((request, response) => {
    asked.push(new URL(request.url ?? '/', 'http://x').searchParams);
    if (typeof made.greet === 'number') {
      response.writeHead(made.greet).end();
      return;
    }
    watching.add(response);
    response.once('close', () => watching.delete(response));
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.flushHeaders();
    if (made.greet === 'snapshot') response.write(eventOf('snapshot', snapshot()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const made: WatchServer = {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    asked,
    get open() {
      return watching.size;
    },
    publish: (beat) => write(eventOf(beat.directive === undefined ? 'heartbeat' : 'directive', beat)),
    write,
    cut() {
      for (const response of watching) response.destroy();
    },
    greet: 'snapshot',
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return made;
}

export const eventOf = (event: string, beat: Beat): string =>
  `event: ${event}\nid: ${beat.epoch}\ndata: ${JSON.stringify(beat)}\n\n`;
