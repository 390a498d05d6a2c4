import { createRequire } from 'node:module';
import type { NodeSDKConfiguration } from '@opentelemetry/sdk-node';

type SpanExporter = NonNullable<NodeSDKConfiguration['traceExporter']>;

/** Hears that spans do not arrive, and that they do again. */
export interface SpanNotices {
  /** The text holds no address and no secret. */
  onTrouble(reason: string): void;
  onRecovered(): void;
}

const PACKAGES: Readonly<Record<string, string>> = {
  grpc: '@opentelemetry/exporter-trace-otlp-grpc',
  'http/json': '@opentelemetry/exporter-trace-otlp-http',
  'http/protobuf': '@opentelemetry/exporter-trace-otlp-proto',
};
const ENDPOINTS = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] as const;
/** Of grpc alone, which also takes an address without a scheme. */
const ADDRESS = /^[\w.[\]:-]+:\d{1,5}$/;

/**
 * The exporter that the SDK would make from the environment, with notices. Undefined if the environment names another
 * kind than OTLP, which the SDK then makes by itself. Throws one line for an operator if an endpoint or the protocol is not
 * usable: the SDK would drop every span without a word.
 */
export function spanExporter(environment: NodeJS.ProcessEnv, notices: SpanNotices): SpanExporter | undefined {
  if (!['', 'otlp'].includes(environment['OTEL_TRACES_EXPORTER'] ?? '')) return undefined;
  const protocol =
    environment['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] ?? environment['OTEL_EXPORTER_OTLP_PROTOCOL'] ?? 'http/protobuf';
  const name = Object.hasOwn(PACKAGES, protocol) ? PACKAGES[protocol] : undefined;
  if (name === undefined) throw new Error(`OTEL_EXPORTER_OTLP_PROTOCOL: expected ${Object.keys(PACKAGES).join(', ')}`);
  for (const setting of ENDPOINTS) {
    const text = environment[setting] ?? '';
    if (text !== '' && !isUsable(text, protocol)) throw new Error(`${setting}: expected a URL, as http://host:4318`);
  }
  // The SDK depends on these packages, and says which versions go with it.
  const ofSdk = createRequire(createRequire(import.meta.url).resolve('@opentelemetry/sdk-node'));
  const { OTLPTraceExporter } = ofSdk(name) as { readonly OTLPTraceExporter: new () => SpanExporter };
  return noticed(new OTLPTraceExporter(), notices);
}

function isUsable(text: string, protocol: string): boolean {
  if (protocol === 'grpc' && ADDRESS.test(text)) return true;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && /^https?:$/.test(url.protocol);
}

/** Tells the first failure of a row, and the first success after it. */
function noticed(exporter: SpanExporter, notices: SpanNotices): SpanExporter {
  let isInTrouble = false;
  const send = exporter.export.bind(exporter);
  exporter.export = (spans, done) =>
    send(spans, (result) => {
      // `ExportResultCode.SUCCESS` is 0. The error is optional.
      const { code }: { readonly code: number } = result;
      const hasFailed = code !== 0;
      if (hasFailed && !isInTrouble) notices.onTrouble(reasonOf(result.error));
      if (!hasFailed && isInTrouble) notices.onRecovered();
      isInTrouble = hasFailed;
      done(result);
    });
  return exporter;
}

/** A code if there is one: messages may quote the endpoint, and with it a secret. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const { code } = error as { code?: unknown };
  return typeof code === 'string' || typeof code === 'number' ? String(code) : error.name;
}
