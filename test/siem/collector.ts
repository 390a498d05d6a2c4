import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A log record as OTLP/HTTP spells it in JSON. */
export interface LogRecord {
  readonly timeUnixNano: string;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: { readonly stringValue: string };
  readonly traceId?: string;
  readonly spanId?: string;
}

interface Export {
  readonly resourceLogs: readonly { readonly scopeLogs: readonly { readonly logRecords: readonly LogRecord[] }[] }[];
}

export interface Collector {
  readonly url: string;
  /** Everything that it has taken, as text. */
  readonly bodies: readonly string[];
  /** While it is not 200, nothing is taken. */
  status: number;
  records(): LogRecord[];
  close(): Promise<void>;
}

/** Takes log records over OTLP/HTTP in JSON. */
export async function startCollector(): Promise<Collector> {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/v1/logs' && collector.status === 200) bodies.push(Buffer.concat(chunks).toString('utf8'));
      response.writeHead(collector.status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const collector: Collector = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    status: 200,
    records: () =>
      bodies
        .map((body) => JSON.parse(body) as Export)
        .flatMap(({ resourceLogs }) => resourceLogs.flatMap(({ scopeLogs }) => scopeLogs))
        .flatMap(({ logRecords }) => logRecords),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return collector;
}

/** The environment that sends OCSF events to a collector. */
export const otlpEnvironment = ({ url }: Pick<Collector, 'url'>): Record<string, string> => ({
  SALLYPORT_SIEM_OTLP: 'on',
  OTEL_EXPORTER_OTLP_ENDPOINT: url,
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
});
