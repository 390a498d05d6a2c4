import { randomUUID } from 'node:crypto';
import { diffDefinitions } from '../capability/diff.js';
import { probeDifference } from '../capability/probe.js';
import type { ControlView } from '../control/control-view.js';
import { driftWrites } from '../control/drift.js';
import type { Call } from '../decision/call.js';
import type { Decision } from '../decision/decide.js';
import type { Batch } from '../event-log/port.js';
import type { Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import type { AttemptInTask } from './attempt.js';

/**
 * The writes that a drifted definition adds to its deny. None if the request does not show a different definition
 * whole.
 */
export function observedDrift(
  view: ControlView,
  { attempt: { request }, lane, pinned }: AttemptInTask,
  call: Call,
  { reason, version }: Decision,
): Result<Pick<Batch, 'writes' | 'blobs'>, Refusal> {
  const { definition, probe } = request.observed;
  const { definition: observedDigest } = call.observed;
  if (reason !== 'definition_drifted' || definition === undefined || pinned === undefined) return NOTHING;
  if (version === undefined || observedDigest === undefined) return NOTHING;
  // A server may declare something else under another probe. That is not a drift of the pinned definition.
  const reviewed = view.capability(call.capability).state?.versions.get(version);
  if (probeDifference(reviewed?.probe, probe) !== undefined) return NOTHING;
  return driftWrites(view, {
    host: call.host,
    capability: call.capability,
    version,
    diff: diffDefinitions(pinned, definition),
    observed: definition,
    observedDigest,
    hostPinsVersion: true,
    directiveId: randomUUID(),
    time: call.decidedAt,
    links: { traceId: lane.task.traceId, correlationId: call.callId },
  });
}

const NOTHING = ok({ writes: [] });
