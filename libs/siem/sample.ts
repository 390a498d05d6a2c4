import { parseEvent } from '../event-log/event.js';
import { ocsfOf } from './ocsf-of.js';
import type { OcsfEvent } from './ocsf.js';
import { SAMPLES } from './samples.js';

export interface Sample {
  /** The event type of the log. */
  readonly type: string;
  readonly event: OcsfEvent;
}

/** One OCSF event of each event type, made of events that a service recorded in a test. */
export function samples(): Sample[] {
  return SAMPLES.flatMap((json, index) => {
    const { stream, type } = parseEvent(json);
    const event = ocsfOf({ stream, json, position: BigInt(index + 1) });
    return event === undefined ? [] : [{ type, event }];
  });
}
