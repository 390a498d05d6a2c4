import type { Logger } from 'pino';
import { addGauge } from '../observability/gauges.js';
import type { Service } from '../service.js';
import type { ServedCertificate } from './certificate.js';
import { Reloader } from './reloader.js';

/** Watches the certificate and the files of the connection to Kafka. The caller stops it. */
export function startReloader(
  { settings, clock, metrics: { registry } }: Pick<Service, 'settings' | 'clock' | 'metrics'>,
  certificate: ServedCertificate | undefined,
  logger: Logger,
): Reloader {
  const { kafka } = settings;
  const reloader = new Reloader(
    [
      ...(certificate === undefined ? [] : [certificate]),
      ...(kafka === undefined || kafka.files.length === 0
        ? []
        : [{ what: 'kafka', files: kafka.files, reload: () => kafka.reload() }]),
    ],
    logger,
  );
  addGauge(registry, 'sallyport_reload_failing', 'Whether a changed certificate or file cannot be used, 0 or 1.', () =>
    reloader.isFailing ? 1 : 0,
  );
  if (certificate !== undefined) {
    const name = 'sallyport_tls_certificate_expiry_seconds';
    addGauge(registry, name, 'Until a certificate of the served chain expires; negative afterwards.', () => {
      return (certificate.expiresAtMs - clock.wallMs()) / 1000;
    });
  }
  reloader.start();
  return reloader;
}
