import type { EventLog } from '../../libs/event-log/port.js';
import type { JsonObject } from '../../libs/kernel/canonical-json.js';
import { forged, withEvents } from './audit-world.js';

/** Every decision says that other engines made it. */
export const withEngines = (log: EventLog, engines: JsonObject): EventLog =>
  withEvents(log, (event) =>
    event.type === 'CallDecided' || event.type === 'CallRefused'
      ? forged(event, (data) => {
          const checks = asChecked(data['checks'] as readonly unknown[], engines['decider']);
          return { ...data, checks, engines: { ...(data['engines'] as object), ...engines } };
        })
      : event,
  );

/** Deciders before the third had no check of approvals. */
const asChecked = (checks: readonly unknown[], decider: unknown): readonly unknown[] =>
  typeof decider === 'number' && decider < 3 ? checks.filter((check) => check !== 'approval') : checks;
