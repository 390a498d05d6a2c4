import { isForeign } from '../decision-point/trace.js';
import { parseEvent } from '../event-log/event.js';
import { isJsonObject, ownValue, type Json } from '../kernel/canonical-json.js';
import { chained, CHAIN_START, provenState, type MapProof } from '../transparency/completeness.js';
import { parseHash, sameHash, type Hash } from '../transparency/hash.js';
import { families, familyOf } from '../streams/catalogue.js';
import type { BundledEvent } from './events.js';
import type { Bundle, StreamProof } from '../contract/bundle-format.js';
import { Needs } from './needs.js';
import type { Findings } from './verdict.js';

/** The streams of a bundle, after every event was found to belong there. */
export interface BundledStreams {
  readonly streams: ReadonlyMap<string, readonly BundledEvent[]>;
  readonly needs: Needs;
}

/**
 * Checks that the bundle has the events that it should have and no others: all events of the trace's own streams as of
 * the checkpoint, refusals with its trace id, and control streams from their beginning to the revision that is needed.
 */
export function checkStreams(
  bundle: Bundle,
  events: readonly BundledEvent[],
  findings: Findings,
): BundledStreams | undefined {
  const streams = Map.groupBy(events, ({ stream }) => stream);
  for (const [stream, own] of streams) checkOrder(own, families.refusals.has(stream), findings);
  const { traceId } = bundle;
  const traceStream = families.trace.stream(traceId);
  const joined = streams.get(traceStream) ?? [];
  const own = new Set([traceStream]);
  for (const { json, where } of joined) {
    const read = families.trace.readWhole(json);
    if (!read.ok) findings.fault(where, read.error.message);
    else for (const name of streamsOfTask(read.value.data.taskId)) own.add(name);
  }
  checkCompleteness(bundle, own, streams, findings);
  const needs = new Needs();
  for (const stream of own) for (const event of streams.get(stream) ?? []) takeOwn(event, traceId, needs, findings);
  for (const [stream, found] of streams) {
    if (own.has(stream)) continue;
    if (families.refusals.has(stream)) {
      const isOthers = isForeign(joined, families.refusals.idOf(stream) ?? '');
      if (isOthers) findings.fault(found[0]?.where ?? stream, 'was put in: the trace is of another host');
      for (const event of found) takeOwn(event, traceId, needs, findings);
    } else if (familyOf(stream)?.role !== 'control')
      findings.fault(found[0]?.where ?? stream, 'was put in: its stream does not belong to the trace');
    else for (const event of found) if (traceIdOf(event) === traceId) needs.takeOwn(event);
  }
  checkControl(streams, needs, findings);
  return findings.isSound ? { streams, needs } : undefined;
}

export const streamsOfTask = (taskId: string): readonly string[] => [
  families.task.stream(taskId),
  families.calls.stream(taskId),
];

const traceIdOf = ({ json }: BundledEvent): string | undefined => parseEvent(json).traceId;

/** Revisions and leaves ascend together. Only refusals of other traces may be missing between two. */
function checkOrder(events: readonly BundledEvent[], mayMiss: boolean, findings: Findings): void {
  for (const [index, { revision, position, where }] of events.entries()) {
    const before = events[index - 1];
    const expected = (before?.revision ?? 0) + 1;
    if (revision < expected) findings.fault(where, `comes after revision ${expected - 1} of its stream`);
    else if (revision > expected && !mayMiss) findings.fault(where, `revision ${expected} of its stream is missing`);
    else if (before !== undefined && position <= before.position)
      findings.fault(where, 'is older in the log than the event before it in its stream');
  }
}

function takeOwn(event: BundledEvent, traceId: string, needs: Needs, findings: Findings): void {
  if (traceIdOf(event) !== traceId) findings.fault(event.where, 'belongs to another trace');
  else needs.takeOwn(event);
}

function checkCompleteness(
  { completeness }: Bundle,
  own: ReadonlySet<string>,
  streams: ReadonlyMap<string, readonly BundledEvent[]>,
  findings: Findings,
): void {
  const root = mapRootOf(completeness.leaf);
  if (root === undefined) return findings.fault('/completeness/leaf', 'is not the last leaf of a checkpoint');
  const proofs = new Map(Object.entries(completeness.streams));
  for (const stream of own) {
    const where = `/completeness/streams (${stream})`;
    const proof = proofs.get(stream);
    const proven = proof === undefined ? undefined : provenState(stream, root, mapProofOf(proof));
    if (proof === undefined) findings.fault(where, 'the proof that its events are complete is missing');
    else if (proven === undefined) findings.fault(where, 'the proof that its events are complete is wrong');
    else checkWhole(stream, streams.get(stream) ?? [], proven, findings);
  }
  const left = [...proofs.keys()].find((stream) => !own.has(stream));
  if (left !== undefined) findings.fault('/completeness/streams', `a proof was put in: ${left.slice(0, 100)}`);
  findings.checked.push(`nothing is left out of, or put into, the ${own.size} streams of the trace`);
}

function checkWhole(
  stream: string,
  events: readonly BundledEvent[],
  proven: Exclude<ReturnType<typeof provenState>, undefined>,
  findings: Findings,
): void {
  const revision = proven === 'absent' ? 0 : proven.revision;
  const chain = proven === 'absent' ? CHAIN_START : proven.chain;
  if (events.length !== revision)
    return findings.fault(stream, `has ${revision} events as of the checkpoint, and ${events.length} of them are here`);
  const computed = events.reduce<Hash>((hash, { leaf }) => chained(hash, leaf), CHAIN_START);
  if (!sameHash(computed, chain)) findings.fault(stream, 'its events are not those that the checkpoint counted');
}

/** Control streams are there from their first event to exactly the last one that is needed. */
function checkControl(streams: ReadonlyMap<string, readonly BundledEvent[]>, needs: Needs, findings: Findings): void {
  for (const [stream, revision] of needs.revisions) {
    const found = streams.get(stream)?.length ?? 0;
    if (found < revision) findings.fault(stream, `is needed up to revision ${revision}, and ends at ${found}`);
  }
  for (const [stream, events] of streams) {
    if (familyOf(stream)?.role !== 'control') continue;
    const surplus = events[needs.revisions.get(stream) ?? 0];
    if (surplus !== undefined) findings.fault(surplus.where, 'was put in: no decision of the trace rests on it');
    for (const event of events) needs.takeControl(event);
  }
  const counted = [...needs.revisions.values()].filter((revision) => revision > 0).length;
  findings.checked.push(`${counted} control streams reach back to their first event`);
  findings.limits.push(...openEnds(streams, needs));
}

/**
 * Streams that hold events of other traces too are here only as far as they are needed. A later event of this trace in
 * them, a drift or a refused call, is proven if it is here, and not missed if it is not.
 */
function openEnds(streams: ReadonlyMap<string, readonly BundledEvent[]>, needs: Needs): string[] {
  const refusals = [...streams].filter(([stream]) => families.refusals.has(stream));
  const refused = refusals.map(([stream, events]) => `${events.length} in ${stream}`).join(', ');
  const drifts = [...needs.revisions]
    .filter(([stream]) => families.capability.has(stream) || families.directives.has(stream))
    .map(([stream, revision]) => `${stream}@${revision}`)
    .sort();
  return [
    `whether refused calls (those of no task) of this trace were left out; here are ${refused === '' ? 'none' : refused}`,
    ...(drifts.length === 0 ? [] : [`whether a drift of this trace was left out after ${drifts.join(', ')}`]),
  ];
}

/** The root of the completeness map in the last leaf of a checkpoint. Undefined if the text is no such leaf. */
function mapRootOf(leaf: string): Hash | undefined {
  let value: Json;
  try {
    value = JSON.parse(leaf) as Json;
  } catch {
    return undefined;
  }
  const completeness = isJsonObject(value) ? ownValue(value, 'completeness') : undefined;
  const root = isJsonObject(completeness) ? ownValue(completeness, 'root') : undefined;
  return typeof root === 'string' ? parseHash(root) : undefined;
}

function mapProofOf({ siblings, leaf }: StreamProof): MapProof {
  const hashes = siblings.map(hashOf);
  if (leaf === undefined) return { siblings: hashes };
  return { siblings: hashes, leaf: { key: hashOf(leaf.key), revision: leaf.revision, chain: hashOf(leaf.chain) } };
}

/** The schema has checked the form, apart from the bits behind the last byte. */
const hashOf = (text: string): Hash => parseHash(text) ?? new Uint8Array();
