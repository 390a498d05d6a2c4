import { resolve } from 'node:path';
import { z } from 'zod';
import type { OtlpOptions } from '../siem/messages.js';
import { setting, SettingsError, type Environment, type ValuesOf } from './setting.js';

/** The ways on which OCSF events leave for a SIEM. */
export const SIEM = {
  kafka: setting(
    'SALLYPORT_SIEM_KAFKA',
    z.enum(['on', 'off'], 'expected on or off'),
    'on',
    'Whether OCSF events go to the topic `sallyport.siem.v1`, if SALLYPORT_KAFKA_BROKERS is set.',
    'Readers of the topic see who does what. With `off`, events of that time follow later if it is set to `on` again.',
  ),
  file: setting(
    'SALLYPORT_SIEM_FILE',
    z
      .string()
      .min(1, 'expected a file')
      .transform((path) => resolve(path)),
    undefined,
    'File to which OCSF events are appended as JSON lines. It is rotated at 64 MiB, and 8 rotated files are kept.',
    'Lines that no forwarder has read are deleted with the ninth file. Readers of the file see who does what.',
  ),
  otlp: setting(
    'SALLYPORT_SIEM_OTLP',
    z.enum(['on', 'off'], 'expected on or off'),
    'off',
    'Whether OCSF events leave as OpenTelemetry log records, to OTEL_EXPORTER_OTLP_ENDPOINT.',
    'The collector sees who does what.',
  ),
};

export interface SiemSettings {
  readonly kafka: boolean;
  readonly file: string | undefined;
  readonly otlp: OtlpOptions | undefined;
}

/** Whether OCSF events leave on any way. */
export const leavesForSiem = ({ siem, kafka }: { siem: SiemSettings; kafka: object | undefined }): boolean =>
  (siem.kafka && kafka !== undefined) || siem.file !== undefined || siem.otlp !== undefined;

const EXPORTERS: Readonly<Record<string, string>> = {
  grpc: '@opentelemetry/exporter-logs-otlp-grpc',
  'http/json': '@opentelemetry/exporter-logs-otlp-http',
  'http/protobuf': '@opentelemetry/exporter-logs-otlp-proto',
};

/** Throws `SettingsError` if log records have no place to go to. */
export function siemOf({ kafka, file, otlp }: ValuesOf<typeof SIEM>, environment: Environment): SiemSettings {
  return { kafka: kafka === 'on', file, otlp: otlp === 'on' ? otlpOf(environment) : undefined };
}

function otlpOf(environment: Environment): OtlpOptions {
  const given = (name: string): string | undefined => (environment[name] === '' ? undefined : environment[name]);
  const endpoint = 'OTEL_EXPORTER_OTLP_LOGS_ENDPOINT';
  if ((given(endpoint) ?? given('OTEL_EXPORTER_OTLP_ENDPOINT')) === undefined) {
    throw new SettingsError('SALLYPORT_SIEM_OTLP: on needs OTEL_EXPORTER_OTLP_ENDPOINT');
  }
  const protocol = given('OTEL_EXPORTER_OTLP_LOGS_PROTOCOL') ?? given('OTEL_EXPORTER_OTLP_PROTOCOL') ?? 'http/protobuf';
  const exporter = Object.hasOwn(EXPORTERS, protocol) ? EXPORTERS[protocol] : undefined;
  if (exporter === undefined) {
    throw new SettingsError(`OTEL_EXPORTER_OTLP_PROTOCOL: expected ${Object.keys(EXPORTERS).join(', ')}`);
  }
  const text = given(endpoint);
  if (text !== undefined && protocol !== 'grpc' && !/^https?:$/.test(URL.parse(text)?.protocol ?? '')) {
    throw new SettingsError(`${endpoint}: expected a URL, as http://host:4318/v1/logs`);
  }
  const otel = Object.entries(environment).filter(([name, value]) => name.startsWith('OTEL_') && value !== undefined);
  return { exporter, environment: Object.fromEntries(otel) as Record<string, string> };
}
