import type { DecisionEngines } from '#libs/decision-point/engines.js';
import { parseEvent } from '#libs/event-log/event.js';
import type { EventLog } from '#libs/event-log/port.js';
import type { Instant } from '#libs/kernel/time.js';
import type { Keyring } from '#libs/payloads/keyring.js';
import type { CallIndex } from './call-index.js';
import { TraceAudit } from './trace.js';
import { eventAt } from './trace-record.js';

/** Bounds of what a start may spend on it; the last round may go past `MAX_MS`. */
const MAX_ROUNDS = 12;
const MAX_MS = 150;
const LIMITS = { maxEvents: 200, maxChars: 4_194_304 };
/** An index that is further behind is being rebuilt, and is not waited for. */
const INDEX_WAIT_MS = 50;

/**
 * Reads the trace of the newest allow several times over, so that an auditor's first question after a start need not wait
 * for what an engine does only once: compile and optimise. What it finds is dropped. How often it was read: 0 where there
 * is none, or where it is too large or cannot be read, which an auditor's own question will say. Never throws.
 */
export async function warmAudit(
  log: EventLog,
  keys: Keyring,
  engines: DecisionEngines,
  index: CallIndex,
  now: Instant,
): Promise<number> {
  const untilMs = performance.now() + MAX_MS;
  let rounds = 0;
  try {
    if (!(await index.waitFor(await log.end(), INDEX_WAIT_MS))) return 0;
    const [newest] = (await index.calls({ reason: 'ok' }, 1)).references;
    const event = newest && (await eventAt(log, newest));
    const traceId = event && parseEvent(event.json).traceId;
    if (traceId === undefined) return 0;
    const traces = new TraceAudit(log, keys, engines, index, LIMITS);
    while (rounds < MAX_ROUNDS && performance.now() < untilMs) {
      if (!(await traces.trace(traceId, now)).ok) return rounds;
      rounds += 1;
    }
  } catch {
    // Whoever asks for it will hear of it.
  }
  return rounds;
}
