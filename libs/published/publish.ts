import type { Event } from '../event-log/event.js';
import type { RecordedEvent } from '../event-log/port.js';
import { familyOf } from '../streams/catalogue.js';
import { UnreadableEvent } from '../streams/unreadable.js';
import { FORMS } from './forms.js';
import { UNREADABLE } from './schemas.js';

/** An event in its published form. */
export interface Published {
  readonly event: Event;
  /** `<Type>.v<version>`, the name of the schema of `data`. */
  readonly schema: string;
  readonly data: object;
}

const FORM_OF: Readonly<Record<string, { of(data: never): object } | undefined>> = FORMS;

/**
 * The published form of an event. Older data is brought to the version of today first. Of an event that this version
 * cannot read only the reason is published. Throws `SyntaxError` for a text that is no JSON.
 */
export function published({ stream, json }: Pick<RecordedEvent, 'stream' | 'json'>): Published {
  try {
    const event = familyOf(stream)?.read(json);
    if (event === undefined) throw new UnreadableEvent('unknown_type');
    const form = Object.hasOwn(FORM_OF, event.type) ? FORM_OF[event.type] : undefined;
    const data = form === undefined ? (event.data as object) : form.of(event.data as never);
    const { traceId } = event;
    return {
      event,
      schema: `${event.type}.v${event.schemaVersion}`,
      data: traceId === undefined ? data : { ...data, traceId },
    };
  } catch (error) {
    const event = JSON.parse(json) as Event;
    const reason = error instanceof UnreadableEvent ? error.reason : 'malformed';
    return { event, schema: UNREADABLE, data: { unreadable: reason } };
  }
}
