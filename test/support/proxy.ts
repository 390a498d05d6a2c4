import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way through which a client reaches a service, that a test can cut. On a port of its own that it keeps. */
export interface Proxy {
  /** `host:port`. */
  readonly address: string;
  /** Connections end, and new ones end at once. */
  cut(): void;
  /** Connections stay and new ones are taken, but nothing goes through: a network that swallows what it is given. */
  swallow(): void;
  /** Nothing goes through the connections of now, and they stay. New ones work: a router that forgot its connections. */
  forget(): void;
  /** New data passes. Data that was swallowed is lost with its connections. */
  heal(): void;
  close(): Promise<void>;
}

/** `target`: `host:port`; nothing needs to listen there yet. */
export async function startProxy(target: string): Promise<Proxy> {
  const [host = '', port = ''] = target.split(':');
  const sockets = new Set<Socket>();
  let forgotten = new WeakSet<Socket>();
  let state: 'open' | 'cut' | 'swallowing' = 'open';
  const own = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    return socket;
  };
  const dropAll = (): void => sockets.forEach((socket) => socket.destroy());
  const server = createServer((client) => {
    own(client);
    if (state === 'cut') return void client.destroy();
    const upstream = own(connect(Number(port), host));
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('data', (chunk) => state === 'open' && !forgotten.has(from) && to.write(chunk));
      from.on('close', () => state !== 'swallowing' && !forgotten.has(from) && to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      state = 'cut';
      dropAll();
    },
    swallow: () => void (state = 'swallowing'),
    forget: () => void (forgotten = new WeakSet(sockets)),
    heal() {
      // A connection that lost bytes in between must not go on as if it had not.
      if (state === 'swallowing') dropAll();
      state = 'open';
    },
    close() {
      dropAll();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
