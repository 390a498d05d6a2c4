import type { ContextFiltered } from '../calls/events.js';
import type { OperationFacts } from '../capability/events.js';
import type { VersionState } from '../capability/state.js';
import { declaredBy, WHOLE, type DeclaredPlace } from '../content/filter/declared.js';
import { joinOf, PUBLIC, type ContentLabel } from '../content/filter/label.js';
import { matchedSource, neededBy, type NeededPlace } from '../content/filter/needed.js';
import type { FilteredContent } from '../content/filter/shapes.js';
import { readSchema } from '../content/schema/schema-vetting.js';
import type { Exposure, ExposureQuery, SeenContent } from '../contract/exposure.js';
import type { DecisionEngines } from '../decision-point/engines.js';
import type { LogReading } from '../event-log/port.js';
import { isJsonObject, ownValue, type Json } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { pointerTo, segmentsOf, type JsonPointer } from '../kernel/pointer.js';
import type { Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { toMs } from '../kernel/time.js';
import type { KeyReading } from '../payloads/keyring.js';
import { attemptsAt } from './attempts-at.js';
import type { Attempt } from './attempts.js';
import { Contents } from './contents.js';
import { cursorOf, placeIn } from './cursor.js';
import type { DirectiveHistory } from './directive-history.js';
import { History } from './history.js';
import { families, type StateOf } from '../streams/catalogue.js';
import type { IndexReading } from './index/reading.js';
import { redecide, Reconstructor } from './reconstruct.js';
import { byPosition } from './stored-event.js';

/** Entries of each list of one operation. */
const MAX_ENTRIES = 500;
/** The deepest pointer into a schema that is listed. */
const MAX_DEPTH = 6;

/**
 * The content that each operation of a capability may see, has seen, and never needed. Paths and bytes of what was sent come from the
 * payload records: each call is filtered again. Of a call whose content is gone, only its events count: context items by
 * their entry in the manifest, redactions, refusals, and labels above `public`. No value and no name that only a caller
 * has is in the answer: such a name is `*`.
 */
export class ExposureAudit {
  constructor(
    private readonly log: LogReading,
    private readonly keys: KeyReading,
    private readonly engines: DecisionEngines,
    private readonly index: IndexReading,
    private readonly directives: DirectiveHistory,
  ) {}

  /** Of one page of calls, the newest first. Throws `LogUnavailable`, `KeyringUnavailable`, `IndexUnavailable`. */
  async find(
    { capability, version, from, to }: ExposureQuery,
    limit: number,
    cursor: string | undefined,
  ): Promise<Result<{ items: Exposure[]; next?: string }, Refusal>> {
    const before = placeIn(cursor);
    if (!before.ok) return err(before.error);
    const filter = defined({
      capability,
      version,
      decision: 'allow',
      fromMs: from === undefined ? undefined : toMs(from),
      toMs: to === undefined ? undefined : toMs(to),
    });
    const { references, next } = await this.index.calls(filter, limit, before.value);
    const contents = new Contents(this.log, this.keys);
    const history = new History(this.log, this.directives);
    const reconstructor = new Reconstructor(this.log, this.engines, history, contents, 'remembered');
    const found = await attemptsAt(this.log, references);
    const tallies = new Map<string, Tally>();
    for (const each of [...found].sort((a, b) => byPosition(a.reference, b.reference))) {
      if ('attempt' in each) await this.count(tallies, reconstructor, each.attempt);
    }
    if (cursor === undefined) await this.addUnused(tallies, history, { capability, version });
    const items = [...tallies.values()].map((tally) => tally.shown());
    return ok(defined({ items, next: next === undefined ? undefined : cursorOf(next) }));
  }

  private async count(tallies: Map<string, Tally>, reconstructor: Reconstructor, attempt: Attempt): Promise<void> {
    const { capability, version = '', operation } = attempt.decided;
    const inputs = await reconstructor.reconstruct(attempt);
    if (!inputs.ok) return;
    // Before the next await: the states are live.
    const state = inputs.value.snapshot.capability?.versions.get(version);
    const facts = state && ownValue(state.operations, operation);
    const again = inputs.value.content === 'whole' ? redecide(attempt, inputs.value) : undefined;
    if (state === undefined || facts === undefined) return;
    const tally = await this.tallyOf(tallies, { capability, state, operation, facts });
    tally.add(attempt, again?.filtered?.outbound);
  }

  /** The operations of versions that were never called, as of now. */
  private async addUnused(
    tallies: Map<string, Tally>,
    history: History,
    { capability, version }: Pick<ExposureQuery, 'capability' | 'version'>,
  ): Promise<void> {
    const held = await history.now<StateOf<'capability'>>(families.capability.stream(capability));
    const states = [...(held?.versions.values() ?? [])].filter(
      (each) => version === undefined || each.version === version,
    );
    for (const state of states) {
      for (const [operation, facts] of Object.entries(state.operations))
        await this.tallyOf(tallies, { capability, state, operation, facts });
    }
  }

  private async tallyOf(tallies: Map<string, Tally>, of: Described): Promise<Tally> {
    const key = JSON.stringify([of.state.version, of.operation]);
    const known = tallies.get(key);
    if (known !== undefined) return known;
    const schema = of.facts.unenforced?.arguments === undefined ? of.facts.arguments : undefined;
    const vetted = schema === undefined ? undefined : readSchema(await this.engines.loadSchema(schema));
    const tally = new Tally(of, vetted?.ok === true ? declaredBy(vetted.value) : WHOLE);
    tallies.set(key, tally);
    return tally;
  }
}

interface Described {
  readonly capability: string;
  readonly state: VersionState;
  readonly operation: string;
  readonly facts: OperationFacts;
}

/** The counts of one operation. */
class Tally {
  private calls = 0;
  private readonly seen = new Map<string, SeenContent>();
  private readonly redactions = new Map<string, number>();
  private readonly refusals = new Map<string, number>();
  private readonly needed: NeededPlace;

  constructor(
    private readonly of: Described,
    private readonly declared: DeclaredPlace,
  ) {
    this.needed = neededBy(of.facts.needs?.arguments);
  }

  add({ filtered }: Attempt, outbound: FilteredContent | undefined): void {
    this.calls += 1;
    const data = filtered?.data;
    for (const { type, count } of data?.redactions ?? []) bump(this.redactions, type, count);
    for (const { reason } of data?.refusals ?? []) bump(this.refusals, reason, 1);
    if (outbound !== undefined) this.addOutbound(outbound);
    else if (data !== undefined) this.addRecorded(data);
  }

  private addOutbound({ arguments: args, context, labels }: FilteredContent): void {
    const labelled = new Map<string, ContentLabel>();
    for (const label of labels) labelled.set(label.path, joinOf([labelled.get(label.path) ?? PUBLIC, label]));
    const seen = new Map<JsonPointer, { bytes: number; label: ContentLabel }>();
    const above = labelled.get('/arguments') ?? PUBLIC;
    for (const { path, bytes, label } of leavesOf(
      args,
      '/arguments',
      '',
      this.declared,
      this.needed,
      above,
      labelled,
    )) {
      const known = seen.get(path) ?? { bytes: 0, label: PUBLIC };
      seen.set(path, { bytes: known.bytes + bytes, label: joinOf([known.label, label]) });
    }
    for (const [path, { bytes, label }] of seen) this.saw({ path }, bytes, label.level, label.categories);
    for (const { source, content, level = 'public', categories = [] } of context)
      this.saw({ source: this.entryOf(source) }, Buffer.byteLength(content), level, categories);
  }

  private addRecorded({ items, labels }: ContextFiltered): void {
    for (const { need, bytes, level, categories, sent } of items)
      if (sent) this.saw({ source: need ?? '*' }, bytes, level, categories);
    const seen = new Map<JsonPointer, ContentLabel>();
    for (const label of labels) {
      const path = generalised(label.path);
      if (label.path.startsWith('/arguments/')) seen.set(path, joinOf([seen.get(path) ?? PUBLIC, label]));
    }
    for (const [path, { level, categories }] of seen) this.saw({ path }, 0, level, categories);
  }

  private entryOf(source: string): string {
    return matchedSource(this.of.facts.needs?.context, source) ?? '*';
  }

  private saw(
    what: { path: JsonPointer } | { source: string },
    bytes: number,
    level: string,
    categories: readonly string[],
  ): void {
    const key = JSON.stringify(what);
    if (!this.seen.has(key) && this.seen.size >= MAX_ENTRIES) return;
    const entry = this.seen.get(key) ?? { ...what, calls: 0, bytes: 0, levels: {}, categories: {} };
    entry.calls += 1;
    entry.bytes += bytes;
    entry.levels[level] = (entry.levels[level] ?? 0) + 1;
    for (const category of categories.slice(0, MAX_CATEGORIES))
      entry.categories[category] = (entry.categories[category] ?? 0) + 1;
    this.seen.set(key, entry);
  }

  shown(): Exposure {
    const { capability, state, operation, facts } = this.of;
    const needs = facts.needs?.arguments;
    const declared = needs?.map(({ path }) => path) ?? pointersOf(this.declared);
    const paths = [...this.seen.values()].flatMap(({ path }) => (path === undefined ? [] : [path]));
    return {
      capability,
      version: state.version,
      operation,
      declared: {
        arguments: declared.slice(0, MAX_ENTRIES),
        context: [...(facts.needs?.context ?? [])],
        sensitivity: state.sensitivity,
        accepts: (needs ?? []).flatMap(({ path, accepts = [] }) =>
          accepts.length === 0 ? [] : [{ path, types: [...accepts] }],
        ),
      },
      calls: this.calls,
      seen: [...this.seen.values()],
      redactions: Object.fromEntries(this.redactions),
      refusals: Object.fromEntries(this.refusals),
      unused: declared.filter((pointer) => !paths.some((path) => covers(pointer, path))).slice(0, MAX_ENTRIES),
    };
  }
}

/** Free names of hosts could be any number. */
const MAX_CATEGORIES = 16;

const bump = (counts: Map<string, number>, name: string, by: number): void =>
  void counts.set(name, (counts.get(name) ?? 0) + by);

interface Leaf {
  /** Joined with those of the places above: a label covers everything below its place. */
  readonly label: ContentLabel;
  /** Into the arguments, of any call: `*` is an item, or a name that only the caller has. */
  readonly path: JsonPointer;
  readonly bytes: number;
}

const isEmpty = (value: Json): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

function* leavesOf(
  value: Json,
  place: JsonPointer,
  path: JsonPointer,
  declared: DeclaredPlace,
  needed: NeededPlace,
  above: ContentLabel,
  labels: ReadonlyMap<JsonPointer, ContentLabel>,
): Generator<Leaf> {
  const own = labels.get(place);
  const label = own === undefined ? above : joinOf([above, own]);
  // An empty object or list is sent too.
  if (path !== '' && isEmpty(value)) yield { label, path, bytes: 2 };
  else if (Array.isArray(value)) {
    for (const [index, item] of (value as readonly Json[]).entries())
      yield* leavesOf(
        item,
        place + pointerTo(index),
        `${path}/*`,
        declared.item(index) ?? WHOLE,
        needed.under(String(index)) ?? needed,
        label,
        labels,
      );
  } else if (isJsonObject(value)) {
    for (const [name, member] of Object.entries(value)) {
      const isKnown = declared.names(name) || needed.names(name);
      yield* leavesOf(
        member,
        place + pointerTo(name),
        path + (isKnown ? pointerTo(name) : '/*'),
        declared.member(name) ?? WHOLE,
        needed.under(name) ?? needed,
        label,
        labels,
      );
    }
  } else yield { label, path, bytes: Buffer.byteLength(typeof value === 'string' ? value : JSON.stringify(value)) };
}

/** A recorded pointer into a request, as one into the arguments of any call. */
const generalised = (path: JsonPointer): JsonPointer =>
  pointerTo(
    ...segmentsOf(path)
      .slice(1)
      .map((segment) => (/^\d+$/.test(segment) ? '*' : segment)),
  );

/** Whether a declared pointer names a place or one above it. */
function covers(pointer: JsonPointer, path: JsonPointer): boolean {
  const [declared, seen] = [segmentsOf(pointer), segmentsOf(path)];
  return (
    declared.every((segment, index) => segment === '*' || seen[index] === '*' || segment === seen[index]) &&
    seen.length >= declared.length
  );
}

/** The pointers to the values that a schema declares. */
function pointersOf(place: DeclaredPlace, above: JsonPointer = '', depth = 0): JsonPointer[] {
  const named = depth >= MAX_DEPTH ? [] : place.children();
  if (named.length === 0) return above === '' ? [] : [above];
  return named
    .slice(0, MAX_ENTRIES)
    .flatMap(([segment, child]) => pointersOf(child, above + pointerTo(segment), depth + 1))
    .slice(0, MAX_ENTRIES);
}
