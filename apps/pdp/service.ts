import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CallIndex } from '../../libs/audit/index/call-index.js';
import type { Operation } from '../../libs/contract/operation.js';
import { Authorizer } from '../../libs/decision-point/authorizer.js';
import { ContentDesk } from '../../libs/decision-point/content-desk.js';
import { ControlPlane } from '../../libs/control/control-plane.js';
import { ControlView } from '../../libs/control/control-view.js';
import { DecisionEngines } from '../../libs/decision-point/engines.js';
import { Instances } from '../../libs/fleet/instances.js';
import { LogTime, newestEventMs } from '../../libs/control/log-time.js';
import { RefusalRecorder } from '../../libs/decision-point/refusal-recorder.js';
import { Responder } from '../../libs/decision-point/responder.js';
import { TaskLanes } from '../../libs/decision-point/task-lanes.js';
import { Tasks } from '../../libs/decision-point/tasks.js';
import { POLICY_SET } from '../../libs/decision/snapshot.js';
import type { EventLog } from '../../libs/event-log/port.js';
import { settledLog, type SettledLog } from '../../libs/event-log/settled.js';
import { openSqliteLog } from '../../libs/event-log/sqlite/sqlite-log.js';
import { BeatSigner } from '../../libs/feed/beat-signer.js';
import { Broadcast } from '../../libs/feed/broadcast.js';
import { systemClock, type Clock } from '../../libs/kernel/time.js';
import type { LaneName } from '../../libs/streams/relay-events.js';
import type { Keyring } from '../../libs/payloads/keyring.js';
import { openKeyring } from '../../libs/payloads/sqlite-keyring.js';
import { installationSecret, openFeedKey } from './directives/feed-key.js';
import { Watches } from './directives/watches.js';
import { countDrifts, registerFeedGauges, registerGauges } from './observability/gauges.js';
import { measuredAuthorizer, type Authorizing } from './observability/measured-authorizer.js';
import { measuredLog } from './observability/measured-log.js';
import { createMetrics, type Metrics } from './observability/metrics.js';
import { tracedAuthorizer } from './observability/traced-authorizer.js';
import { TracedEngines } from './observability/traced-engines.js';
import { tracedLog } from './observability/traced-log.js';
import type { Tracing } from './observability/tracing.js';
import { openBounds, type Bounds } from './overload/bounds.js';
import { contentPool, readingLimits } from './overload/content.js';
import { gatedAuthorizer, gatedResponder, gatedTasks, type Responding, type TaskKeeping } from './overload/gated.js';
import { makeFirstPrincipals } from './principals/first-principals.js';
import { startRelay, type Relay } from './relay/relay.js';
import type { Settings } from './settings.js';
import type { InstallationSecret } from './tokens.js';

const MAX_RESPONSE_PARTS = 1000;

/** Everything that the service is made of, opened and in step with its log. */
export interface Service {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: SettledLog;
  readonly keys: Keyring;
  readonly beatSigner: BeatSigner;
  readonly watches: Watches;
  readonly instances: Instances;
  readonly secret: InstallationSecret;
  readonly view: ControlView;
  readonly time: LogTime;
  readonly plane: ControlPlane;
  readonly desk: ContentDesk;
  readonly engines: DecisionEngines;
  readonly tasks: TaskKeeping;
  readonly authorizer: Authorizing;
  readonly responder: Responding;
  readonly index: CallIndex;
  readonly metrics: Metrics;
  readonly bounds: Bounds;
  readonly tracing: Tracing | undefined;
  /** Undefined where no brokers are named. */
  readonly relay: Relay | undefined;
  readonly onGrpcAnswer: ServiceParts['onGrpcAnswer'];
  /** The file with the tokens of the first start, if this was one. */
  readonly tokensFile: string | undefined;
  /** Finishes what is queued and lets go of everything. */
  close(): Promise<void>;
}

/** What tests replace: the log's faults and the clock are theirs to choose. */
export interface ServiceParts {
  readonly clock?: Clock;
  /** Where spans go; without it there are none. The service stops it when it closes. */
  readonly tracing?: Tracing | undefined;
  /** Told when a lane to Kafka meets a new trouble; the text holds no secret. */
  readonly onRelayTrouble?: ((lane: LaneName, reason: string) => void) | undefined;
  /** Gets each answer over gRPC in its JSON shape; tests hold it against the contract. */
  readonly onGrpcAnswer?: ((operation: Operation, answer: object) => void) | undefined;
  /** Wraps the log that every part of the service gets. */
  readonly wrapLog?: (log: EventLog) => EventLog;
}

/** Opens the stores and brings the views up to date. Throws typed errors whose message is one line for an operator. */
export async function openService(settings: Settings, parts: ServiceParts = {}): Promise<Service> {
  const { dataDir, limits, leaseMs } = settings;
  const clock = parts.clock ?? systemClock;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const closing: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closing.splice(0).reverse()) await each();
  };
  const { tracing } = parts;
  if (tracing !== undefined) closing.push(() => tracing.stop());
  const metrics = createMetrics();
  try {
    const sqlite = await openSqliteLog({ file: settings.logFile });
    closing.push(() => sqlite.close());
    const wrapped = parts.wrapLog?.(sqlite) ?? sqlite;
    const settled = settledLog(wrapped, { clock });
    // Measured outside, traced inside of it, here and at the authorizer.
    const log = measuredLog(tracing === undefined ? settled : tracedLog(settled, tracing), metrics, clock);
    const keys = await openKeyring(join(dataDir, 'keys.db'));
    closing.push(() => keys.close());
    const view = new ControlView(log);
    await view.start();
    closing.push(() => view.stop());
    const time = new LogTime(clock, view, await newestEventMs(log));
    const plane = new ControlPlane(log, view, time);
    const tokensFile = await makeFirstPrincipals(plane, dataDir);
    const feedKey = openFeedKey(dataDir);
    const engines = tracing === undefined ? new DecisionEngines(log) : new TracedEngines(log, tracing);
    await engines.warm(view.policySet(POLICY_SET).state.active?.cedar);
    const lanes = new TaskLanes(log, keys, view);
    const point = { log, view, lanes, engines, time };
    const refusals = new RefusalRecorder(point, leaseMs);
    const index = await CallIndex.open(log, join(dataDir, 'audit-index.db'));
    closing.push(() => index.close());
    const authorizer = new Authorizer(point, refusals, leaseMs);
    const pool = contentPool(settings, metrics.registry);
    closing.push(() => pool.close());
    const desk = new ContentDesk(engines.validator, readingLimits(limits), pool);
    const { logFile } = settings;
    registerGauges(metrics.registry, { store: sqlite, logFile, log, view, lanesHeld: () => lanes.held });
    countDrifts(metrics.registry, view);
    const bounds = openBounds(settings, clock, metrics.registry);
    const instances = new Instances(log, view, time, {
      leaseMs,
      skewMs: settings.skewMs,
      onAcknowledged: (latencyMs) => metrics.propagationSeconds.observe(latencyMs / 1000),
    });
    await instances.start();
    closing.push(async () => instances.stop());
    const beatSigner = new BeatSigner(log, view, feedKey, time, leaseMs);
    const broadcast = new Broadcast(beatSigner, view, leaseMs, clock);
    registerFeedGauges(metrics.registry, instances, broadcast);
    const watches = new Watches(view, broadcast, bounds.watches, instances);
    const relay =
      settings.kafka &&
      startRelay(settings.kafka, {
        log,
        clock,
        time,
        beatSigner,
        view,
        registry: metrics.registry,
        onTrouble: parts.onRelayTrouble,
      });
    if (relay !== undefined) closing.push(() => relay.stop());
    watches.start();
    closing.push(async () => watches.drain());
    const measured = measuredAuthorizer(
      tracing === undefined ? authorizer : tracedAuthorizer(authorizer, tracing),
      metrics,
      clock,
    );
    const responseLimits = {
      maxBytes: limits.responseBytes,
      maxDepth: limits.jsonDepth,
      maxParts: MAX_RESPONSE_PARTS,
      lateMs: settings.responseMs,
    };
    return {
      settings,
      clock,
      log,
      keys,
      beatSigner,
      watches,
      instances,
      secret: installationSecret(feedKey),
      view,
      time,
      plane,
      desk,
      engines,
      tasks: gatedTasks(new Tasks(log, plane, lanes, keys), bounds.calls),
      authorizer: gatedAuthorizer(measured, bounds.calls),
      responder: gatedResponder(new Responder(point, desk, responseLimits), bounds.calls, bounds.texts),
      index,
      metrics,
      bounds,
      tracing,
      relay,
      onGrpcAnswer: parts.onGrpcAnswer,
      tokensFile,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
