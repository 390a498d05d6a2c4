import type { CallDecided } from '../calls/events.js';
import type { RecordedEvent } from '../event-log/port.js';
import { canonicalJson, isJsonObject, ownValue } from '../kernel/canonical-json.js';
import type { Digest } from '../kernel/digest.js';
import { families, familyOf } from '../streams/catalogue.js';

/** A version by capability and version, which have no blank. */
const versionKey = (capability: string, version: string): string => `${capability} ${version}`;

/** A document that a replay reads: JSON, or the text of a policy set. */
export interface NeededDocument {
  readonly kind: 'json' | 'text';
  /** The noun for a reader. */
  readonly name: string;
}

/**
 * The inputs of a replay of a trace, apart from the events of the trace: control streams up to the revisions that its
 * decisions name, and the documents of those. The exporter and the verifier derive it by the same rules, so nothing can
 * be left out or put in. It takes the events of the trace first, and then the events of the control streams in order.
 */
export class Needs {
  /** The last revision that is needed of each control stream. */
  readonly revisions = new Map<string, number>();
  /** The engines that decided, as canonical JSON. */
  readonly engines = new Set<string>();
  /** The documents by their digests. */
  readonly documents = new Map<Digest, NeededDocument>();
  /** Tasks whose content was erased. */
  readonly shredded = new Set<string>();
  /** A call showed a drifted definition whole, which is recorded in control streams too. */
  drifted = false;
  private readonly operations = new Map<string, Set<string>>();
  private readonly policyRevisions = new Map<string, Set<number>>();
  /** The pins of each task: capability to version. */
  private readonly pins = new Map<string, ReadonlyMap<string, string>>();
  private readonly active = new Map<string, Digest>();
  private readonly proposed = new Map<string, Digest>();

  /** Takes an event of the trace: of a task before those of its calls. */
  takeOwn(event: RecordedEvent): void {
    const { stream, json } = event;
    if (familyOf(stream)?.role === 'control') return this.need(stream, event.revision);
    const read = familyOf(stream)?.readWhole(json);
    if (read?.ok !== true) return;
    const { type, data } = read.value;
    if (type === 'TaskOpened') this.takePins(data);
    if (type === 'TaskShredded') this.shredded.add((data as { taskId: string }).taskId);
    if (type === 'CallDecided' || type === 'CallRefused') this.takeDecision(data as CallDecided);
  }

  /** Takes an event of a control stream: from its first one on, in order. */
  takeControl({ stream, json, revision }: RecordedEvent): void {
    try {
      if (families.capability.has(stream)) this.takeCapability(json);
      else if (families.policy.has(stream)) this.takePolicy(stream, json, revision);
    } catch {
      // An event that cannot be read names no document. The decisions that rest on it cannot be made again.
    }
  }

  private takePins(data: unknown): void {
    const { taskId, pins } = data as { taskId: string; pins: { capability: string; version: string }[] };
    this.pins.set(taskId, new Map(pins.map(({ capability, version }) => [capability, version])));
  }

  private takeDecision(decided: CallDecided): void {
    const { taskId, capability, version, operation, basis, engines, reason, observed } = decided;
    if (reason === 'definition_drifted' && observed.whole === true) this.drifted = true;
    this.engines.add(canonicalJson(engines));
    for (const [stream, revision] of Object.entries(basis)) {
      if (familyOf(stream)?.role !== 'control') continue;
      this.need(stream, revision);
      if (families.policy.has(stream)) added(this.policyRevisions, stream, revision);
    }
    for (const wanted of new Set([version, this.pins.get(taskId)?.get(capability)]))
      if (wanted !== undefined) added(this.operations, versionKey(capability, wanted), operation);
  }

  private need(stream: string, revision: number): void {
    this.revisions.set(stream, Math.max(revision, this.revisions.get(stream) ?? 0));
  }

  private takeCapability(json: string): void {
    const event = families.capability.read(json);
    if (event.type !== 'VersionProposed') return;
    const { capability, version, documents, operations } = event.data;
    const called = this.operations.get(versionKey(capability, version));
    if (called === undefined) return;
    const of = `${capability} ${version}`;
    for (const [name, digest] of Object.entries(documents)) this.document(digest, `the ${name} of ${of}`);
    for (const name of called) {
      const operation = ownValue(operations, name);
      if (!isJsonObject(operation)) continue;
      const { arguments: input, output } = operation as { arguments?: Digest; output?: Digest };
      this.document(input, `a schema of ${of}`);
      this.document(output, `a schema of ${of}`);
    }
  }

  private takePolicy(stream: string, json: string, revision: number): void {
    const { type, data } = families.policy.read(json);
    const key = `${stream} ${data.policyVersion}`;
    if (type === 'PolicyProposed') this.proposed.set(key, data.cedar);
    else if (data.verdict === 'approved') {
      const cedar = this.proposed.get(key);
      if (cedar !== undefined) this.active.set(stream, cedar);
    }
    if (this.policyRevisions.get(stream)?.has(revision) === true)
      this.document(this.active.get(stream), 'a policy set', 'text');
  }

  private document(digest: Digest | undefined, name: string, kind: NeededDocument['kind'] = 'json'): void {
    if (digest !== undefined && !this.documents.has(digest)) this.documents.set(digest, { kind, name });
  }
}

function added<Key, Item>(sets: Map<Key, Set<Item>>, key: Key, item: Item): void {
  const set = sets.get(key) ?? new Set<Item>();
  sets.set(key, set.add(item));
}
