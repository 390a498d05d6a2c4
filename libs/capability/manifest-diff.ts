import { DEFAULT_CONTEXT_BYTES } from '../vocabulary/context.js';
import { canonicalJson, ownValue, type Json } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { pointerTo } from '../kernel/pointer.js';
import { isAbove } from '../vocabulary/levels.js';
import type { Effect, Level } from '../vocabulary/words.js';
import { shortened, type Change, type Diff, type Severity } from './diff.js';
import type { ServerExpectation } from './manifest.js';

type NeededList = readonly (
  | string
  | { readonly path: string; readonly maxLength?: number | undefined; readonly accepts?: readonly string[] | undefined }
)[];

interface Operation {
  readonly effects: readonly Effect[];
  readonly returns?: Level | undefined;
  readonly needs?:
    | {
        readonly arguments?: NeededList | undefined;
        readonly context?: readonly string[] | undefined;
        readonly contextBytes?: number | undefined;
      }
    | undefined;
  readonly argumentsSchema?: unknown;
  readonly outputSchema?: unknown;
}

/** A manifest as it was registered. */
interface RegisteredManifest {
  readonly operations: Readonly<Record<string, Operation>>;
  readonly sensitivity: Level;
  readonly egress?: readonly string[] | undefined;
  readonly server: Readonly<ServerExpectation>;
}

/** The gravest ones are kept. */
const MAX_CHANGES = 500;

/** More authority, less, or a change that may be either. */
type Direction = 'wider' | 'narrower' | 'other';

/**
 * How one manifest differs from another, in pointers into the manifest. Each widening of the authority of the version is an
 * `authority-change`: another effect, more content that it may see, a higher sensitivity, a lower level of its responses.
 * A narrower one is `cosmetic`. Grave changes come first.
 */
export function diffManifests(before: RegisteredManifest, after: RegisteredManifest): Diff {
  const found = new Changes();
  const { sensitivity } = after;
  if (before.sensitivity !== sensitivity)
    found.add(['sensitivity'], before.sensitivity, sensitivity, direction(isAbove(sensitivity, before.sensitivity)));
  found.lists(['egress'], before.egress ?? [], after.egress ?? []);
  diffServer(before.server, after.server, found);
  for (const name of namesOf(before.operations, after.operations)) {
    const path = ['operations', name];
    const [old, now] = [ownValue(before.operations, name), ownValue(after.operations, name)];
    if (old === undefined || now === undefined) found.add(path, old, now, old === undefined ? 'wider' : 'narrower');
    else diffOperation(path, { ...old, level: before.sensitivity }, { ...now, level: sensitivity }, found);
  }
  const isGrave = ({ severity }: Change) => severity === 'authority-change';
  const sorted = [...found.changes.filter(isGrave), ...found.changes.filter((change) => !isGrave(change))];
  return defined({
    severity: sorted[0]?.severity ?? 'none',
    changes: sorted.slice(0, MAX_CHANGES),
    truncated: sorted.length > MAX_CHANGES ? true : undefined,
  });
}

/** An operation with the level of its responses, if it names none. */
type Leveled = Operation & { readonly level: Level };

function diffOperation(path: readonly string[], before: Leveled, after: Leveled, found: Changes): void {
  found.lists([...path, 'effects'], before.effects, after.effects);
  const [old, now] = [before.returns ?? before.level, after.returns ?? after.level];
  found.add([...path, 'returns'], old, now, direction(isAbove(old, now)));
  for (const schema of ['argumentsSchema', 'outputSchema'] as const)
    found.add([...path, schema], before[schema], after[schema], 'other');
  const needs = [...path, 'needs'];
  found.lists([...needs, 'context'], before.needs?.context ?? [], after.needs?.context ?? []);
  const [bytesBefore, bytesAfter] = [before, after].map((each) => each.needs?.contextBytes ?? DEFAULT_CONTEXT_BYTES);
  found.add([...needs, 'contextBytes'], bytesBefore, bytesAfter, direction((bytesAfter ?? 0) > (bytesBefore ?? 0)));
  diffArguments([...needs, 'arguments'], before.needs?.arguments, after.needs?.arguments, found);
}

/** A manifest without the list lets all leave that the input schema declares. */
function diffArguments(
  path: readonly string[],
  before: NeededList | undefined,
  after: NeededList | undefined,
  found: Changes,
): void {
  if (before === undefined || after === undefined)
    return found.add(path, before, after, direction(after === undefined));
  const [old, now] = [neededOf(before), neededOf(after)];
  for (const [pointer, need] of now) {
    const earlier = old.get(pointer);
    const place = [...path, pointer];
    if (earlier === undefined) found.add(place, undefined, need, 'wider');
    else {
      found.lists([...place, 'accepts'], earlier.accepts, need.accepts);
      const isLonger = (need.maxLength ?? Infinity) > (earlier.maxLength ?? Infinity);
      found.add([...place, 'maxLength'], earlier.maxLength, need.maxLength, direction(isLonger));
    }
  }
  for (const [pointer, need] of old) if (!now.has(pointer)) found.add([...path, pointer], need, undefined, 'narrower');
}

interface Needed {
  readonly accepts: readonly string[];
  readonly maxLength?: number | undefined;
}

/** The needed arguments by their pointers. Entries of one pointer count together, as in the filter. */
function neededOf(list: NeededList): Map<string, Needed> {
  const found = new Map<string, Needed>();
  for (const each of list) {
    const { path, maxLength, accepts = [] } = typeof each === 'string' ? { path: each } : each;
    const { accepts: known = [], maxLength: least } = found.get(path) ?? {};
    const limits = [maxLength, least].filter((limit) => limit !== undefined);
    const limit = limits.length === 0 ? undefined : Math.min(...limits);
    found.set(path, defined({ accepts: [...new Set([...known, ...accepts])], maxLength: limit }));
  }
  return found;
}

/** The digest of a package changes with each release. Any other change lets another server answer. */
function diffServer(before: ServerExpectation, after: ServerExpectation, found: Changes): void {
  if (before.method === 'package' && after.method === 'package') {
    found.add(['server', 'integrity'], before.integrity, after.integrity, 'narrower');
    found.add(['server', 'command'], before.command, after.command, 'other');
  } else found.add(['server'], before, after, 'other');
}

const direction = (isWider: boolean): Direction => (isWider ? 'wider' : 'narrower');

const namesOf = (...records: readonly Readonly<Record<string, unknown>>[]): string[] =>
  [...new Set(records.flatMap(Object.keys))].sort();

class Changes {
  readonly changes: Change[] = [];

  /** One change, unless both values are the same. */
  add(path: readonly string[], before: unknown, after: unknown, towards: Direction): void {
    const [old, now] = [before, after] as [Json | undefined, Json | undefined];
    if (canonicalJson(old ?? null) === canonicalJson(now ?? null)) return;
    const kind = old === undefined ? 'added' : now === undefined ? 'removed' : 'changed';
    const severity: Severity = towards === 'narrower' ? 'cosmetic' : 'authority-change';
    const [shownBefore, shownAfter] = [old, now].map((value) => (value === undefined ? undefined : shortened(value)));
    this.changes.push(defined({ path: pointerTo(...path), kind, severity, before: shownBefore, after: shownAfter }));
  }

  /** One change if two lists differ in more than their order: a new entry widens. */
  lists(path: readonly string[], before: readonly string[], after: readonly string[]): void {
    const isWider = after.some((each) => !before.includes(each));
    const isSame = !isWider && before.every((each) => after.includes(each));
    if (!isSame) this.add(path, [...before], [...after], direction(isWider));
  }
}
