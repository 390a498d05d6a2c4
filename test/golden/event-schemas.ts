import type { z } from 'zod';
import { callsEventSchemas } from '../../libs/calls/events.js';
import { capabilityEventSchemas } from '../../libs/capability/events.js';
import { directiveEventSchemas } from '../../libs/directive/decider.js';
import { instanceEventSchemas } from '../../libs/fleet/decider.js';
import { policyEventSchemas } from '../../libs/policy/decider.js';
import { principalEventSchemas } from '../../libs/principal/decider.js';
import { relayEventSchemas } from '../../libs/relay/events.js';
import { taskEventSchemas } from '../../libs/task/decider.js';

/** The schema of the data of every event type there is. */
export const EVENT_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  ...capabilityEventSchemas,
  ...policyEventSchemas,
  ...principalEventSchemas,
  ...taskEventSchemas,
  ...callsEventSchemas,
  ...directiveEventSchemas,
  ...instanceEventSchemas,
  ...relayEventSchemas,
};
