import { EVENT_NAMESPACE, type Event } from '../event-log/event.js';
import type { DamagedPlace, RecordedEvent } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import { digestOfBytes } from '../kernel/digest.js';
import { uuidV5 } from '../kernel/ids.js';
import { VERSION } from '../kernel/version.js';
import { published } from '../published/publish.js';
import { UNREADABLE } from '../published/schemas.js';
import { label } from './labels.js';
import { MAPPINGS } from './mappings.js';
import { CLASSES, OCSF_VERSION, SEVERITIES, type Attributes, type Mapped, type OcsfEvent } from './ocsf.js';

const PRODUCT = { name: 'Sallyport', vendor_name: 'Sallyport', version: VERSION };
const MAPPING_OF: Readonly<Record<string, ((event: never) => Mapped) | undefined>> = MAPPINGS;
const SHA_256 = 3;
const HEX = 1;
const JCS = 2;

/**
 * An event of the log as an OCSF event. Undefined for bookkeeping. It holds names, counts, codes and digests: no content
 * of calls, no text of servers, and no reason that somebody wrote. Throws `SyntaxError` for a text that is no JSON.
 */
export function ocsfOf(recorded: Pick<RecordedEvent, 'position' | 'stream' | 'json'>): OcsfEvent | undefined {
  const { event, schema } = published(recorded);
  if (schema === UNREADABLE) return composed(unreadable(event), event, schema, recorded);
  const mapping = Object.hasOwn(MAPPING_OF, event.type) ? MAPPING_OF[event.type] : undefined;
  if (mapping === undefined) return undefined;
  try {
    return composed(mapping(event as never), event, schema, recorded);
  } catch {
    // `published` makes only cheap checks. Somebody who rewrites the log must not stop what a SIEM hears of it.
    return composed(unreadable(event), event, UNREADABLE, recorded);
  }
}

/**
 * A finding in place of a damaged event. Nothing of its text is known, so the time is that of the finding, in milliseconds
 * since 1970. Its id is the same each time.
 */
export function damagedFinding({ position, stream, revision }: DamagedPlace, nowMs: number): OcsfEvent {
  const uid = uuidV5(EVENT_NAMESPACE, `damaged ${position}`);
  const [activityId, activityName] = CLASSES.detectionFinding.activities.create;
  const { uid: classUid, categoryUid, name } = CLASSES.detectionFinding;
  const [severityId, severity] = SEVERITIES.critical;
  return {
    activity_id: activityId,
    activity_name: activityName,
    category_uid: categoryUid,
    class_uid: classUid,
    class_name: name,
    type_uid: classUid * 100 + activityId,
    severity_id: severityId,
    severity,
    time: nowMs,
    message: `The event at position ${position} of the log is damaged.`,
    metadata: {
      version: OCSF_VERSION,
      product: PRODUCT,
      uid,
      profiles: [],
      event_code: 'damaged',
      log_name: label(stream),
      sequence: Number(position),
    },
    status_id: 1,
    finding_info: { uid, title: 'Damaged event', types: ['damaged'], created_time: nowMs },
    unmapped: { revision },
  };
}

/** The key of an event where order counts: its trace, else its stream. */
export function keyOf({ metadata }: OcsfEvent): string {
  const { correlation_uid: trace, log_name: stream } = metadata;
  return typeof trace === 'string' ? trace : String(stream);
}

function composed(mapped: Mapped, event: Event, schema: string, recorded: Pick<RecordedEvent, 'position' | 'json'>) {
  const [activityId, activityName] = mapped.activity;
  const { uid, categoryUid, name } = mapped.class;
  const [severityId, severity] = SEVERITIES[mapped.severity];
  return {
    activity_id: activityId,
    activity_name: activityName,
    category_uid: categoryUid,
    class_uid: uid,
    class_name: name,
    type_uid: uid * 100 + activityId,
    severity_id: severityId,
    severity,
    time: timeOf(event),
    message: mapped.message,
    metadata: defined({
      version: OCSF_VERSION,
      product: PRODUCT,
      uid: event.id,
      profiles: [...mapped.profiles, 'record_integrity'],
      event_code: schema,
      log_name: label(event.stream),
      sequence: Number(recorded.position),
      correlation_uid: event.traceId,
    }),
    ...mapped.attributes,
    attestation_list: [attestation(event, recorded.json)],
  };
}

/** 0 for the time of a damaged event. */
const timeOf = ({ time }: Event): number => Date.parse(time) || 0;

/** The digest of the event's canonical JSON (RFC 8785), which is also the text of its leaf in the log's Merkle tree. */
const attestation = ({ id, stream }: Event, json: string): Attributes => ({
  uid: id,
  chain_uid: label(stream),
  fingerprint: {
    algorithm: 'SHA-256',
    algorithm_id: SHA_256,
    encoding_id: HEX,
    serialization_id: JCS,
    value: digestOfBytes(json).slice('sha256:'.length),
  },
});

/** An event of a newer version, or a damaged one: nothing in it may be read, and it must not go unnoticed. */
const unreadable = (event: Event): Mapped => ({
  class: CLASSES.detectionFinding,
  activity: CLASSES.detectionFinding.activities.create,
  severity: 'high',
  message: 'An event of the log cannot be read by this version.',
  profiles: [],
  attributes: {
    status_id: 1,
    finding_info: { uid: event.id, title: 'Unreadable event', types: ['unreadable'], created_time: timeOf(event) },
  },
});
