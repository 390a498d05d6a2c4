import { isJsonObject, type Json, type JsonObject } from '../../kernel/canonical-json.js';
import { segmentsOf } from '../../kernel/pointer.js';
import type { Level } from '../../vocabulary/words.js';
import type { DeclaredPlace } from './declared.js';
import { isAbove } from '../../vocabulary/levels.js';
import type { Field } from './field.js';
import { joinOf, labelOf, WHOLE_TASK } from './label.js';
import type { NeededPlace } from './needed.js';
import type { FilterInput } from './shapes.js';
import { ArgumentPlace, LabelNode, type Notes, type Redacted, type Redactor, type ValueLabel } from './walk.js';

/** Numbers of fewer digits are no card, account or national number. */
const MIN_NUMBER = 100_000;

/** A small number is searched if a name says that it is a secret. */
const isSearched = (value: number, { within }: Field): boolean => within !== undefined || Math.abs(value) >= MIN_NUMBER;

/**
 * Steps 1 to 5 for each value of the arguments. Each step looks at one value and its place alone, so one walk takes
 * them in their order. It answers the same object if nothing was taken out.
 */
export class ArgumentFilter {
  private readonly hasLabels: boolean;
  private readonly sensitivity: Level;
  private readonly approved: boolean;
  private readonly place: ArgumentPlace;

  constructor(
    input: FilterInput,
    private readonly redactor: Redactor,
    private readonly notes: Notes,
  ) {
    const labels = labelsOf(input, redactor);
    this.place = new ArgumentPlace(redactor, labels);
    this.hasLabels = !labels.isEmpty;
    this.sensitivity = input.sensitivity;
    this.approved = input.flowApproved === true;
  }

  filter(value: JsonObject, declared: DeclaredPlace, needed: NeededPlace): JsonObject {
    const filtered = this.value(value, declared, needed);
    return isJsonObject(filtered) ? filtered : {};
  }

  /** The value as it may be sent; undefined if it is taken out. */
  private value(value: Json, declared: DeclaredPlace, needed: NeededPlace): Json | undefined {
    const { maxLength } = needed;
    if (maxLength !== undefined && lengthOf(value) > maxLength) {
      this.notes.tooLong(this.place);
      return undefined;
    }
    if (!this.admits()) return undefined;
    if (typeof value === 'string') return this.text(value, declared, needed);
    if (typeof value === 'number') return this.number(value, needed);
    if (Array.isArray(value)) return this.items(value as readonly Json[], declared, needed);
    return isJsonObject(value) ? this.members(value, declared, needed) : value;
  }

  /** Step 4: whether the labels of the value permit that it is sent. */
  private admits(): boolean {
    if (!this.hasLabels) return true;
    const { notes, place } = this;
    const labels = place.ownLabels;
    const tooHigh = labels.filter(
      ({ level, by, source }) =>
        isAbove(level, this.sensitivity) && !(this.approved && by === 'flow' && source === WHOLE_TASK),
    );
    if (tooHigh.length > 0) notes.takenOut(place, 'above_sensitivity');
    for (const label of tooHigh) notes.noted(place, label, label.by);
    if (tooHigh.length > 0) return false;
    for (const label of labels) notes.labelled(place, label, label.by, label.source);
    return true;
  }

  private text(text: string, { isLocator }: DeclaredPlace, { accepts }: NeededPlace): string {
    const redacted = this.redactor.redact(text, this.place.field, accepts);
    if (redacted === undefined) return text;
    this.detected(redacted);
    const [type] = redacted.counts.keys();
    if (isLocator && type !== undefined) this.notes.misdirected(this.place, type);
    return redacted.text;
  }

  private number(value: number, { accepts }: NeededPlace): Json {
    if (!isSearched(value, this.place.field)) return value;
    const redacted = this.redactor.redact(String(value), this.place.field, accepts);
    if (redacted === undefined) return value;
    this.detected(redacted);
    return redacted.counts.size === 0 ? value : redacted.text;
  }

  private detected({ counts, kept }: Redacted): void {
    const { notes, place } = this;
    notes.redacted(place, counts);
    const [type] = counts.keys();
    if (type !== undefined) notes.took(place, type);
    const label = joinOf(kept.map(({ level, type }) => ({ level, categories: [type] })));
    if (kept.length > 0) notes.labelled(place, label, 'detected', 'detected');
  }

  private items(items: readonly Json[], declared: DeclaredPlace, needed: NeededPlace): Json | undefined {
    const kept: Json[] = [];
    let isSame = true;
    for (const [index, item] of items.entries()) {
      this.place.push(index, { to: kept.length });
      const filtered = this.part(item, declared.item(index), needed.under(String(index)));
      this.place.pop();
      if (filtered !== undefined) kept.push(filtered);
      isSame &&= filtered === item;
    }
    return isSame ? items : kept;
  }

  private members(value: JsonObject, declared: DeclaredPlace, needed: NeededPlace): JsonObject {
    let kept: [string, Json][] | undefined;
    const names = Object.keys(value);
    for (const [index, name] of names.entries()) {
      const member = value[name] as Json;
      const filtered = this.member(name, member, declared, needed);
      if (filtered !== member) kept ??= names.slice(0, index).map((each) => [each, value[each] as Json]);
      if (filtered !== undefined) kept?.push([name, filtered]);
    }
    return kept === undefined ? value : Object.fromEntries(kept);
  }

  private member(name: string, member: Json, declared: DeclaredPlace, needed: NeededPlace): Json | undefined {
    const place = declared.member(name);
    const need = needed.under(name);
    const isKnown = declared.names(name) || needed.names(name);
    // Another name is the caller's: it may be content.
    const found = isKnown ? undefined : this.redactor.name(name, need?.accepts);
    this.place.push(name, found === undefined ? { isKnown } : { isKnown, clean: found.clean });
    let filtered: Json | undefined;
    if (found?.mustGo === undefined) filtered = this.part(member, place, need);
    else this.notes.takenOut(this.place, found.mustGo);
    this.place.pop();
    return filtered;
  }

  /** Steps 1 and 2 for a part of a value; then the others. */
  private part(value: Json, declared: DeclaredPlace | undefined, needed: NeededPlace | undefined): Json | undefined {
    if (declared === undefined) this.notes.takenOut(this.place, 'not_declared');
    else if (needed === undefined || (!needed.whole && !isContainer(value)))
      this.notes.takenOut(this.place, 'not_needed');
    else return this.value(value, declared, needed);
    return undefined;
  }
}

/**
 * Whether no step does anything to a value that has no label: all of it is declared and needed, and nothing is detected
 * in it. It is the same as a walk that notes nothing, and costs less.
 */
export function isUntouched(
  value: Json,
  declared: DeclaredPlace,
  needed: NeededPlace,
  redactor: Redactor,
  field: Field,
): boolean {
  if (needed.maxLength !== undefined) return false;
  if (typeof value === 'string') return redactor.isClean(value, field);
  if (typeof value === 'number') return !isSearched(value, field);
  if (!isContainer(value)) return true;
  const isList = Array.isArray(value);
  for (const [name, member] of Object.entries(value as JsonObject)) {
    const isKnown = isList || declared.names(name) || needed.names(name);
    if (!isKnown && !redactor.isClean(name)) return false;
    const place = isList ? declared.item(Number(name)) : declared.member(name);
    const need = needed.under(name);
    if (place === undefined || need === undefined || (!need.whole && !isContainer(member))) return false;
    const below = isList ? field : redactor.below(field, name);
    if (!isUntouched(member, place, need, redactor, below)) return false;
  }
  return true;
}

const isContainer = (value: Json): boolean => typeof value === 'object' && value !== null;

/** Code points of a text, or of the JSON of another value. */
function lengthOf(value: Json): number {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  let length = text.length;
  for (let at = 0; at < text.length; at += 1) if ((text.charCodeAt(at) & 0xfc00) === 0xdc00) length -= 1;
  return length;
}

/**
 * The labels of values by the names that lead to them. A stated label whose pointer leads to no value counts for the nearest value
 * above: a misspelt pointer must not lose it.
 */
function labelsOf({ arguments: args, labels, flow }: FilterInput, redactor: Redactor): LabelNode {
  const root = new LabelNode();
  const add = (segments: readonly string[], label: ValueLabel) => {
    root.at(existing(args, segments)).labels.push(label);
  };
  const namesOf = memberNames();
  for (const { path, level = 'public', categories = [], source } of labels) {
    const label = labelOf(level, redactor.categories(categories));
    add(segmentsOf(path), { ...label, by: 'stated', source: redactor.labelSource(source ?? 'caller') });
  }
  for (const { path, level, categories, source } of flow) {
    const [first, ...ordinals] = segmentsOf(path);
    if (first === 'arguments')
      add(namesAt(args, ordinals, namesOf), { level, categories, by: 'flow', source: redactor.clean(source) });
  }
  return root;
}

/** The names of an object's members in the order of RFC 8785. Each object is sorted once, for all its labels. */
function memberNames(): (value: JsonObject) => readonly string[] {
  const sorted = new Map<JsonObject, readonly string[]>();
  return (value) => {
    const names = sorted.get(value) ?? Object.keys(value).sort();
    sorted.set(value, names);
    return names;
  };
}

/** The names on the way to a value, of which each ordinal is the place among the members in the order of RFC 8785. */
function namesAt(
  value: Json,
  ordinals: readonly string[],
  namesOf: (value: JsonObject) => readonly string[],
): string[] {
  const names: string[] = [];
  let at: Json | undefined = value;
  for (const ordinal of ordinals) {
    const name: string | undefined = Array.isArray(at)
      ? ordinal
      : isJsonObject(at)
        ? namesOf(at)[Number(ordinal)]
        : undefined;
    if (name === undefined) break;
    names.push(name);
    at = (at as JsonObject)[name];
  }
  return names;
}

/** The leading segments that lead to a value. */
function existing(value: Json, segments: readonly string[]): string[] {
  const known: string[] = [];
  let at: Json | undefined = value;
  for (const segment of segments) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, segment)) break;
    at = (at as JsonObject)[segment];
    known.push(segment);
  }
  return known;
}
