import { ControlPlane } from '../../../libs/control/control-plane.js';
import { ControlView } from '../../../libs/control/control-view.js';
import { Signatures } from '../../../libs/control/signatures.js';
import { LogTime, newestEventMs } from '../../../libs/control/log-time.js';
import type { Clock } from '../../../libs/kernel/time.js';
import { addGauge, countDrifts } from '../observability/gauges.js';
import type { Metrics } from '../observability/metrics.js';
import type { Stores } from './stores.js';

/** Capabilities, policies, principals and directives in memory, and the plane that changes them. */
export interface Control {
  readonly view: ControlView;
  readonly time: LogTime;
  readonly plane: ControlPlane;
  readonly signatures: Signatures;
}

/** Brings the view up to date with the log. `closing` stops it. */
export async function openControl(
  { log }: Pick<Stores, 'log'>,
  { clock, metrics }: { readonly clock: Clock; readonly metrics: Metrics },
  closing: AsyncDisposableStack,
): Promise<Control> {
  const view = new ControlView(log);
  await view.start();
  closing.defer(() => view.stop());
  const time = new LogTime(clock, view, await newestEventMs(log));
  countDrifts(metrics.registry, view);
  addGauge(
    metrics.registry,
    'sallyport_clock_ahead_seconds',
    "How far the service's time is ahead of the wall clock.",
    () => time.aheadMs() / 1000,
  );
  const plane = new ControlPlane(log, view, time);
  const signatures = new Signatures(log, plane);
  // Versions of before signatures were verified, or of before a crash. A failure leaves them denied until the next key.
  const caughtUp = signatures.catchUp().catch(() => undefined);
  closing.defer(() => caughtUp);
  return { view, time, plane, signatures };
}
