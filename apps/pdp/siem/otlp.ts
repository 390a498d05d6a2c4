import { createRequire } from 'node:module';
import { ROOT_CONTEXT, SeverityNumber, trace } from '@opentelemetry/api';
import type { NodeSDKConfiguration } from '@opentelemetry/sdk-node';
import { SEVERITIES, type OcsfEvent } from '../../../libs/siem/ocsf.js';
import type { OtlpOptions } from './messages.js';

type Processor = NonNullable<NodeSDKConfiguration['logRecordProcessors']>[number];
type LogRecord = Parameters<Processor['onEmit']>[0];

interface Exporter {
  export(
    records: readonly LogRecord[],
    done: (result: { readonly code: number; readonly error?: Error }) => void,
  ): void;
  shutdown(): Promise<void>;
}

/** The OpenTelemetry API of logs, as far as it is used here. */
interface LogsSdk {
  readonly LoggerProvider: new (options: { resource: unknown; processors: readonly Processor[] }) => {
    getLogger(name: string): { emit(record: object): void };
  };
}
interface ResourcesSdk {
  readonly resourceFromAttributes: (attributes: Readonly<Record<string, string>>) => unknown;
}

export interface OtlpLogs {
  /** Resolves when the collector has taken all of them. Rejects with an error whose name or code says why not. */
  send(events: readonly OcsfEvent[]): Promise<void>;
  close(): void;
}

const BY_SEVERITY: ReadonlyMap<number, SeverityNumber> = new Map([
  [SEVERITIES.informational[0], SeverityNumber.INFO],
  [SEVERITIES.low[0], SeverityNumber.INFO2],
  [SEVERITIES.medium[0], SeverityNumber.WARN],
  [SEVERITIES.high[0], SeverityNumber.ERROR],
  [SEVERITIES.critical[0], SeverityNumber.FATAL],
]);

/** A collector did not take log records. The name is a code, because the message may quote an address. */
class NotTaken extends Error {}

/** Sends OCSF events as OpenTelemetry log records, one each. The exporter reads `OTEL_*` from the environment. */
export function openOtlp({ exporter: name, environment }: OtlpOptions): OtlpLogs {
  Object.assign(process.env, environment);
  // The SDK depends on these packages, and says which versions go with it.
  const ofSdk = createRequire(createRequire(import.meta.url).resolve('@opentelemetry/sdk-node'));
  const { LoggerProvider } = ofSdk('@opentelemetry/sdk-logs') as LogsSdk;
  const { resourceFromAttributes } = ofSdk('@opentelemetry/resources') as ResourcesSdk;
  const { OTLPLogExporter } = ofSdk(name) as { readonly OTLPLogExporter: new () => Exporter };
  const exporter = new OTLPLogExporter();
  let emitted: LogRecord[] = [];
  const gathering: Processor = {
    onEmit: (record) => void emitted.push(record),
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
  const resource = resourceFromAttributes({ 'service.name': serviceName(environment) });
  const logger = new LoggerProvider({ resource, processors: [gathering] }).getLogger('sallyport.siem');
  return {
    async send(events) {
      for (const event of events) logger.emit(recordOf(event));
      const records = emitted;
      emitted = [];
      const { code, error } = await new Promise<Parameters<Parameters<Exporter['export']>[1]>[0]>((resolve) =>
        exporter.export(records, resolve),
      );
      // `ExportResultCode.SUCCESS` is 0.
      if (code !== 0) throw notTaken(error);
    },
    close: () => void exporter.shutdown().catch(() => undefined),
  };
}

function recordOf(event: OcsfEvent): object {
  const { metadata, severity_id: severity, severity: severityText, time } = event;
  const { correlation_uid: traceId, uid, event_code: eventCode } = metadata;
  // The event itself is the span: 16 hex digits of its id, which are never all zero.
  const span = { spanId: uid.replaceAll('-', '').slice(0, 16), traceFlags: 1 };
  return {
    timestamp: time,
    severityNumber: BY_SEVERITY.get(severity),
    severityText,
    body: JSON.stringify(event),
    attributes: { 'event.code': eventCode, 'ocsf.type_uid': event.type_uid, 'ocsf.metadata.uid': uid },
    ...(typeof traceId === 'string'
      ? { context: trace.setSpanContext(ROOT_CONTEXT, { traceId, ...span }) }
      : { context: ROOT_CONTEXT }),
  };
}

function notTaken(error: Error | undefined): Error {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  const failure = new NotTaken();
  failure.name =
    typeof code === 'string' || typeof code === 'number' ? `OTLP ${code}` : (error?.name ?? 'unknown error');
  return failure;
}

function serviceName({ OTEL_SERVICE_NAME: name = '' }: OtlpOptions['environment']): string {
  return name === '' ? 'sallyport' : name;
}
