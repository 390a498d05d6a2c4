import type { CallIndex } from '../../libs/audit/index/call-index.js';
import type { Authenticator } from '../../libs/authentication/authenticator.js';
import { bearerTokens } from '../../libs/authentication/bearer-tokens.js';
import type { Operation } from '../../libs/contract/operation.js';
import type { EventLog } from '../../libs/event-log/port.js';
import type { Eraser } from '../../libs/retention/eraser.js';
import type { EvidenceReads } from '../../libs/retention/evidence-reads.js';
import { systemClock, type Clock } from '../../libs/kernel/time.js';
import type { LaneName } from '../../libs/streams/relay-events.js';
import { registerGauges } from './observability/gauges.js';
import { createMetrics, type Metrics } from './observability/metrics.js';
import type { Tracing } from './observability/tracing.js';
import type { AuditThread } from './audit/thread/audit-thread.js';
import { openBounds, type Bounds } from './overload/bounds.js';
import { makeFirstPrincipals } from './principals/first-principals.js';
import { openAudit, type Audit } from './service/audit.js';
import { openControl, type Control } from './service/control.js';
import { openDecisions, type Decisions } from './service/decisions.js';
import type { DamageNotice } from './observability/damage-watch.js';
import type { DiskNotices } from './observability/disk-watch.js';
import { openRetention } from './service/retention.js';
import { openFeed, type Feed } from './service/feed.js';
import type { Siem } from './siem/siem.js';
import { openSeal, type Seal } from './service/seal.js';
import { openStores, type Stores } from './service/stores.js';
import type { Settings } from './settings.js';
import { leavesForSiem } from './settings/siem.js';
import type { InstallationSecret } from './tokens.js';

/** The opened service, up to date with its log. Each consumer takes the parts that it needs. */
export interface Service {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly stores: Stores;
  readonly control: Control;
  readonly authenticator: Authenticator;
  readonly decisions: Decisions;
  readonly feed: Feed;
  /** Calls and tasks, indexed for the queries of auditors. */
  readonly index: CallIndex;
  /** Answers auditors, in a thread of its own. */
  readonly audit: AuditThread;
  /** Records who read evidence. */
  readonly reads: EvidenceReads;
  /** Erases users. */
  readonly eraser: Eraser;
  /** The checkpoints of the log; undefined if a test or a benchmark runs without them. */
  readonly seal: Seal | undefined;
  /** The ways of events to a SIEM; undefined if there are none. */
  readonly siem: Siem | undefined;
  readonly bounds: Bounds;
  readonly metrics: Metrics;
  readonly tracing: Tracing | undefined;
  readonly secret: InstallationSecret;
  readonly onGrpcAnswer: ServiceParts['onGrpcAnswer'];
  /** The file with the tokens of the first start; undefined if this was not the first start. */
  readonly tokensFile: string | undefined;
  /** Finishes what is queued, then closes all parts in reverse order. */
  close(): Promise<void>;
}

/** The parts that a caller of `openService` may replace. */
export interface ServiceParts {
  readonly clock?: Clock;
  /** Receives spans; if absent, there are none. The service stops it when it closes. */
  readonly tracing?: Tracing | undefined;
  /** Called when a lane to Kafka meets a new failure. The text holds no secret. */
  readonly onRelayTrouble?: ((lane: LaneName, reason: string) => void) | undefined;
  /** Called once a lane sends again after such a failure. */
  readonly onRelayRecovered?: ((lane: LaneName) => void) | undefined;
  /** Hears of files that cannot be written, and of the end of that. */
  readonly onDisk?: DiskNotices | undefined;
  /** Hears once of each damaged event of the log; `isLast`: it will hear of no more. */
  readonly onDamaged?: DamageNotice | undefined;
  /** Called while the threads of the stores start: this thread has little else to do then. */
  readonly onThreadsStarting?: (() => void) | undefined;
  /** `off`: no checkpoints are made, for tests and benchmarks that compare. */
  readonly sealing?: 'off' | undefined;
  /** Called when sealing or its witness fails for a new reason, and without one when it works again. */
  readonly onSealTrouble?: ((trouble: string | undefined) => void) | undefined;
  /** Receives each gRPC answer in its JSON shape. Tests compare it with the contract. */
  readonly onGrpcAnswer?: ((operation: Operation, answer: object) => void) | undefined;
  /** Wraps the log that every part of the service gets. */
  readonly wrapLog?: (log: EventLog) => EventLog;
  /** Wraps the authenticator that every interface uses. */
  readonly wrapAuthenticator?: (authenticator: Authenticator) => Authenticator;
}

const UNHEARD: DiskNotices = { onTrouble: () => undefined, onRecovered: () => undefined };

/** Opens the stores and brings the views up to date. Throws typed errors whose message is one line for an operator. */
export async function openService(settings: Settings, parts: ServiceParts = {}): Promise<Service> {
  const { clock = systemClock, tracing, onRelayTrouble, onRelayRecovered, wrapAuthenticator } = parts;
  const notices = parts.onDisk ?? UNHEARD;
  const { dataDir, logFile } = settings;
  const closing = new AsyncDisposableStack();
  let sealing: Promise<Seal> | undefined;
  let auditing: Promise<Audit> | undefined;
  if (tracing !== undefined) closing.defer(() => tracing.stop());
  try {
    const metrics = createMetrics();
    const bounds = openBounds(settings, clock, metrics.registry);
    const stores = await openStores(settings, { ...parts, clock, metrics, notices }, closing);
    const { log, sqlite, keys } = stores;
    const control = await openControl(stores, { clock, metrics }, closing);
    const tokensFile = await makeFirstPrincipals(control.plane, dataDir);
    const bearers = bearerTokens(control.view);
    const authenticator = wrapAuthenticator?.(bearers) ?? bearers;
    const secret = await keys.secret('create-ids');
    // After the first principals: the name of a log holds the id of its first event. These threads start while the rest does.
    if (parts.sealing !== 'off')
      sealing = openSeal(settings, stores, control, { metrics, onTrouble: parts.onSealTrouble }, closing);
    sealing?.catch(() => undefined);
    auditing = openAudit({ dataDir, logFile }, stores, control.time, closing);
    auditing.catch(() => undefined);
    parts.onThreadsStarting?.();
    const decisions = await openDecisions(settings, stores, control, { clock, metrics, tracing, bounds }, closing);
    const { index, audit, reads } = await auditing;
    const eraser = await openRetention(settings, { stores, control, decisions, index }, closing);
    const feed = await openFeed(
      settings,
      stores,
      control,
      { clock, metrics, bounds, authenticator, onRelayTrouble, onRelayRecovered },
      closing,
    );
    const told = { onTrouble: onRelayTrouble, onRecovered: onRelayRecovered, onDamaged: stores.damage.found };
    const needs = { log, clock, time: control.time, registry: metrics.registry, ...told };
    const siem = leavesForSiem(settings) ? (await import('./siem/siem.js')).startSiem(settings, needs) : undefined;
    if (siem !== undefined) closing.defer(() => siem.stop());
    const seal = await sealing;
    const { lanesHeld } = decisions;
    registerGauges(metrics.registry, { store: sqlite, logFile, log, view: control.view, lanesHeld });
    return {
      settings,
      clock,
      stores,
      control,
      authenticator,
      decisions,
      feed,
      index,
      audit,
      reads,
      eraser,
      seal,
      siem,
      bounds,
      metrics,
      tracing,
      secret,
      onGrpcAnswer: parts.onGrpcAnswer,
      tokensFile,
      close: () => closing.disposeAsync(),
    };
  } catch (error) {
    await Promise.allSettled([sealing, auditing]);
    await closing.disposeAsync();
    throw error;
  }
}
