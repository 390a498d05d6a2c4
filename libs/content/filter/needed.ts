import { segmentsOf } from '../../kernel/pointer.js';
import type { NeededArgument } from './shapes.js';

/** A place in the arguments, as the manifest's `needs.arguments` describes it. */
export interface NeededPlace {
  /** A pointer names this value or one above it: the whole value is needed. */
  readonly whole: boolean;
  readonly maxLength: number | undefined;
  readonly accepts: ReadonlySet<string>;
  /** The place of a member or item; undefined if no pointer leads to it. */
  under(segment: string): NeededPlace | undefined;
  /** Whether the manifest itself has the name of this member: such a name is no content. */
  names(segment: string): boolean;
}

const NOTHING: ReadonlySet<string> = new Set();
const everything: NeededPlace = {
  whole: true,
  maxLength: undefined,
  accepts: NOTHING,
  under: () => everything,
  names: () => false,
};

interface Branch {
  readonly branches: Map<string, Branch>;
  readonly needs: NeededArgument[];
}

/** Lists of manifests live as long as their versions. */
const compiled = new WeakMap<readonly NeededArgument[], NeededPlace>();

/** The place of the whole arguments. Without a list, all of them are needed. */
export function neededBy(needed: readonly NeededArgument[] | undefined): NeededPlace {
  if (needed === undefined) return everything;
  const place = compiled.get(needed) ?? compile(needed);
  compiled.set(needed, place);
  return place;
}

function compile(needed: readonly NeededArgument[]): NeededPlace {
  const root: Branch = { branches: new Map(), needs: [] };
  for (const need of needed) {
    let branch = root;
    for (const segment of segmentsOf(need.path)) {
      const next = branch.branches.get(segment) ?? { branches: new Map(), needs: [] };
      branch.branches.set(segment, next);
      branch = next;
    }
    branch.needs.push(need);
  }
  return placeOf([root], undefined);
}

/** Several branches describe one place if a name and `*` lead to it. A type that is accepted above is accepted below. */
function placeOf(branches: readonly Branch[], above: NeededPlace | undefined): NeededPlace {
  const needs = branches.flatMap((branch) => branch.needs);
  if (needs.length === 0 && above?.whole === true && branches.length === 0) return inherited(above);
  const limits = needs.flatMap(({ maxLength }) => (maxLength === undefined ? [] : [maxLength]));
  const accepts = new Set([...(above?.accepts ?? []), ...needs.flatMap((need) => need.accepts ?? [])]);
  const below = new Map<string, NeededPlace | undefined>();
  const place: NeededPlace = {
    whole: needs.length > 0 || above?.whole === true,
    maxLength: limits.length === 0 ? undefined : Math.min(...limits),
    accepts,
    names: (segment) => branches.some((branch) => branch.branches.has(segment)),
    under(segment) {
      // Names of the manifest and `*` are bounded; other names come from callers.
      const key = place.names(segment) ? segment : '*';
      if (!below.has(key)) below.set(key, placeUnder(segment));
      return below.get(key);
    },
  };
  const placeUnder = (segment: string) => {
    const next = branches.flatMap((branch) => {
      const [named, any] = [branch.branches.get(segment), branch.branches.get('*')];
      return [named, any].filter((each) => each !== undefined);
    });
    return next.length === 0 && !place.whole ? undefined : placeOf(next, place);
  };
  return place;
}

/** Below a value that is needed whole: its length was counted with it. */
function inherited({ accepts }: NeededPlace): NeededPlace {
  const place: NeededPlace = { whole: true, maxLength: undefined, accepts, under: () => place, names: () => false };
  return place;
}

/** The entry of `needs.context` that lets a source through: the source itself, or its beginning and `*`. */
export function matchedSource(needed: readonly string[] | undefined, source: string): string | undefined {
  return needed?.find((entry) => (entry.endsWith('*') ? source.startsWith(entry.slice(0, -1)) : entry === source));
}
