import { parseEvent } from '../event-log/event.js';
import type { RecordedEvent } from '../event-log/port.js';
import { verifySealed } from '../event-log/verify.js';
import { canonicalJson } from '../kernel/canonical-json.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { leafHash, parseHash, type Hash } from '../transparency/hash.js';
import { verifyInclusion, type TreeHead } from '../transparency/proofs.js';
import type { Bundle } from '../contract/bundle-format.js';
import { nodeName, siblingRanges } from './ranges.js';
import type { Findings } from './verdict.js';

/** An event of a bundle. Its position is the number of its leaf, which orders events as positions do. */
export interface BundledEvent extends RecordedEvent {
  /** Its place in the bundle and its name, for a reader. */
  readonly where: string;
  readonly leaf: Hash;
}

/**
 * Reads the events, and checks that each is what Sallyport writes: one canonical text whose id fits its content, at the
 * next leaf and the next revision of its stream. Undefined if one is not.
 */
export function readEvents({ events, proofs: { leaves } }: Bundle, findings: Findings): BundledEvent[] | undefined {
  if (events.length !== leaves.length)
    return findings.fault('/proofs/leaves', `has ${leaves.length} numbers for ${events.length} events`);
  const found: BundledEvent[] = [];
  const taken = new Set<number>();
  for (const [index, json] of events.entries()) {
    const place = `/events/${index}`;
    if (typeof json !== 'string') {
      const { position, stream, revision } = json;
      findings.fault(`${place} (${stream}@${revision})`, `is damaged in the log, at position ${position}`);
      continue;
    }
    const head = verifySealed(json);
    if (head === undefined) findings.fault(place, 'its id does not fit its content: it was altered');
    else if (canonicalText(json) !== json) findings.fault(place, 'is not in canonical form');
    else {
      const { stream, revision, type } = head;
      const number = leaves[index] ?? 0;
      const where = `${place} (${payloadPlace(head)})`;
      if (taken.has(number)) findings.fault(where, `is the second event with leaf ${number}`);
      taken.add(number);
      found.push({ position: BigInt(number), stream, revision, type, json, where, leaf: leafHash(json) });
    }
  }
  return findings.isSound ? found : undefined;
}

function canonicalText(json: string): string | undefined {
  try {
    return canonicalJson(parseEvent(json));
  } catch {
    return undefined;
  }
}

/** Checks that each event, and the last leaf, is in the tree of the checkpoint. Returns the nodes that the proofs need. */
export function checkInclusion(
  { proofs: { nodes }, completeness }: Bundle,
  events: readonly BundledEvent[],
  head: TreeHead,
  findings: Findings,
): ReadonlySet<string> {
  const hashes = new Map(Object.entries(nodes).map(([name, text]) => [name, parseHash(text)]));
  const used = new Set<string>();
  const isIncluded = (leaf: Hash, index: number): boolean | 'no_proof' => {
    const path: Hash[] = [];
    for (const range of siblingRanges(index, head.size)) {
      const name = nodeName(range);
      const hash = hashes.get(name);
      if (hash === undefined) return 'no_proof';
      used.add(name);
      path.push(hash);
    }
    return verifyInclusion(leaf, index, head, path);
  };
  const check = (where: string, leaf: Hash, index: number, last: number): void => {
    if (index > last) return findings.fault(where, `names leaf ${index}, and the checkpoint has ${head.size} leaves`);
    const included = isIncluded(leaf, index);
    if (included === 'no_proof') findings.fault(where, `the proof that it is leaf ${index} of the log is not whole`);
    else if (!included)
      findings.fault(where, `is not leaf ${index} of the log: it, its proof or its number was altered`);
  };
  check('/completeness/leaf', leafHash(completeness.leaf), head.size - 1, head.size - 1);
  for (const { where, leaf, position } of events) check(where, leaf, Number(position), head.size - 2);
  findings.checked.push(`${events.length} events are canonical, their ids fit, and each is in the log`);
  return used;
}

/** Checks that no node of the tree is there that no proof needs. */
export function checkNodes({ proofs: { nodes } }: Bundle, used: ReadonlySet<string>, findings: Findings): void {
  const left = Object.keys(nodes).find((name) => !used.has(name));
  if (left !== undefined) findings.fault('/proofs/nodes', `a node was put in: ${left.slice(0, 40)}`);
}
