import { parseEvent } from '../event-log/event.js';
import { canonicalJson, isJsonObject, ownValue, type JsonObject } from '../kernel/canonical-json.js';
import { commitmentTo } from '../kernel/digest.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { families, familyOf } from '../streams/catalogue.js';
import { parseHash } from '../transparency/hash.js';
import type { BundledEvent } from './events.js';
import { documentDigest, type Bundle, type PayloadPart } from '../contract/bundle-format.js';
import type { BundledStreams } from './streams.js';
import type { Findings } from './verdict.js';

/** UTF-16 units of the content of one event at most: those of a payload record. */
const MAX_PART_CHARS = 33_000_000;

/** Checks that the bundle has exactly the documents that are needed, under their own digests. */
export function checkDocuments({ documents }: Bundle, { needs }: BundledStreams, findings: Findings): void {
  const given = new Map(Object.entries(documents));
  for (const [digest, { kind, name }] of needs.documents) {
    const document = given.get(digest);
    if (document === undefined) findings.fault('/documents', `${digest} is missing: ${name}`);
    else if ((typeof document === 'string') !== (kind === 'text') || documentDigest(document) !== digest)
      findings.fault(`/documents/${digest}`, `was altered: ${name}`);
    given.delete(digest);
  }
  const [left] = given.keys();
  if (left !== undefined) findings.fault('/documents', `a document was put in: ${left.slice(0, 80)}`);
  findings.checked.push(`${needs.documents.size} documents (definitions, schemas, policies) fit their digests`);
}

/** The commitments that an event holds, by the names of the parts; undefined if it has no content. */
export function commitmentsOf(json: string): JsonObject | undefined {
  const event = parseEvent(json);
  const { data } = familyOf(event.stream)?.asOfItsVersion(event) ?? event;
  const commitments = isJsonObject(data) ? ownValue(data, 'commitments') : undefined;
  return isJsonObject(commitments) && Object.keys(commitments).length > 0 ? commitments : undefined;
}

/** Checks that each event's content is there, unless it was erased or left out, and is what the event committed to. */
export function checkContent(
  { payloads }: Bundle,
  { streams, needs: { shredded } }: BundledStreams,
  findings: Findings,
): void {
  const given = new Map(Object.entries(payloads ?? {}));
  let checked = 0;
  let omitted = 0;
  for (const event of [...streams.values()].flat()) {
    const commitments = commitmentsOf(event.json);
    const taskId = families.task.idOf(event.stream) ?? families.calls.idOf(event.stream);
    if (commitments === undefined || taskId === undefined) continue;
    const name = payloadPlace(event);
    const parts = given.get(name);
    given.delete(name);
    if (shredded.has(taskId)) {
      if (parts !== undefined) findings.fault(`/payloads/${name}`, 'was put in: the content of its task was erased');
    } else if (payloads === undefined) omitted += 1;
    else if (parts === undefined)
      findings.fault(`/payloads/${name}`, 'is missing, and no event says that it was erased');
    else {
      checkParts(event, parts, commitments, findings);
      checked += 1;
    }
  }
  const [left] = given.keys();
  if (left !== undefined) findings.fault('/payloads', `content was put in: ${left.slice(0, 100)}`);
  if (checked > 0) findings.checked.push(`the content of ${checked} events is what they committed to`);
  if (omitted > 0) findings.gap(`the bundle was exported without content: that of ${omitted} events was not checked`);
  if (shredded.size > 0) findings.gap(`the content of ${shredded.size} tasks was erased, as TaskShredded records`);
}

function checkParts(
  event: BundledEvent,
  parts: readonly PayloadPart[],
  commitments: JsonObject,
  findings: Findings,
): void {
  const where = `/payloads/${payloadPlace(event)}`;
  const names: string[] = [];
  for (const [name, salt, value] of parts) {
    const bytes = parseHash(salt);
    const text = canonicalJson(value);
    const isOwn = bytes !== undefined && text.length <= MAX_PART_CHARS;
    const before = names.at(-1);
    if (before !== undefined && before >= name)
      return findings.fault(where, 'its parts are not in order of their names');
    if (!isOwn || ownValue(commitments, name) !== commitmentTo(bytes, text))
      findings.fault(where, `${name.slice(0, 40)} is not what the event committed to: it or its salt was altered`);
    names.push(name);
  }
  const missing = Object.keys(commitments).find((name) => !names.includes(name));
  if (missing !== undefined) findings.fault(where, `${missing} is missing`);
}
