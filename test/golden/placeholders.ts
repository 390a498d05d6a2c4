import { randomUUID } from 'node:crypto';
import { CURRENT_DECIDER } from '../../libs/decision/deciders/registry.js';
import { blockOf, type Blocks } from './case.js';

/**
 * Words such as `$task` or `$directive.other` are placeholders for values that differ from run to run. The first
 * segment is the kind and gives the shape of the value. Any other word with a `$` (the operation `$connect`) is itself.
 */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const KINDS: Readonly<Record<string, RegExp>> = {
  call: UUID,
  approval: UUID,
  /** When the approval ends. */
  approvalEnd: INSTANT,
  contentDigest: DIGEST,
  task: UUID,
  directive: UUID,
  instance: UUID,
  /** `$event.<Type>`: the id of the event of that type that the call appended. */
  event: UUID,
  trace: /^[0-9a-f]{32}$/,
  position: /^[1-9]\d*$/,
  commitment: DIGEST,
  requestDigest: DIGEST,
  stateRoot: DIGEST,
  /** When the task expires. */
  expiresAt: INSTANT,
  /** When the lease of an allow ends: its time and 5 s. */
  leaseEnd: INSTANT,
  cedar: /^\d+\.\d+\.\d+$/,
  pack: DIGEST,
};

/** Kinds whose values are known before the run. */
const FIXED = new Set(['digest', 'definition', 'decider']);

const WORD = /\$([a-z][A-Za-z]*)((?:\.[A-Za-z0-9]+(?:-[A-Za-z][A-Za-z0-9]*)*)*)/g;

/** The values of the placeholders of one case. */
export interface Bindings {
  bind(name: string, value: string): void;
  /** For sending: ids that are not known yet are made up, blocks put in. Throws where another kind is not known. */
  fill(value: unknown): unknown;
  /**
   * For comparing. Known placeholders are replaced. An unknown one takes the value at the same place of `actual`, if
   * the value looks like its kind and no other placeholder of the kind has it. The rest shows as a difference.
   */
  settle(expected: unknown, actual: unknown): unknown;
}

export function newBindings(blocks: Blocks): Bindings {
  const bound = new Map<string, string>();

  const known = (name: string, kind: string, rest: string): unknown => {
    if (kind === 'digest') return blockOf(blocks.digests, rest);
    if (kind === 'definition') return blockOf(blocks.definitions, rest);
    if (kind === 'decider') return CURRENT_DECIDER;
    return bound.get(name);
  };

  const isTaken = (kind: string, value: string): boolean =>
    [...bound].some(([name, other]) => other === value && name.split('.')[0] === kind);

  /** `missing` gives the value of a placeholder of a known kind that nothing is bound to, undefined to leave it. */
  const replace = (text: string, missing: (name: string, kind: string) => string | undefined): unknown => {
    let whole: unknown;
    const replaced = text.replace(WORD, (word, kind: string, segments: string) => {
      const name = kind + segments;
      const isKind = FIXED.has(kind) || Object.hasOwn(KINDS, kind);
      const value = isKind ? (known(name, kind, segments.slice(1)) ?? missing(name, kind)) : undefined;
      if (word === text && value !== undefined) whole = value;
      return typeof value === 'string' ? value : word;
    });
    return whole ?? replaced;
  };

  const bind = (name: string, value: string): void => {
    const earlier = bound.get(name);
    if (earlier !== undefined && earlier !== value) throw new Error(`$${name} stands for two values`);
    bound.set(name, value);
  };

  const fill = (value: unknown): unknown =>
    mapped(value, (text) => {
      const filled = replace(text, (name, kind) => {
        if (KINDS[kind] !== UUID) throw new Error(`$${name} is not known here`);
        bind(name, randomUUID());
        return bound.get(name);
      });
      // A block may name other blocks.
      return typeof filled === 'string' ? filled : fill(filled);
    });

  const settle = (expected: unknown, actual: unknown): unknown => {
    if (typeof expected === 'string') {
      return replace(expected, (name, kind) => {
        if (expected !== `$${name}` || typeof actual !== 'string') return undefined;
        if (KINDS[kind]?.test(actual) !== true || isTaken(kind, actual)) return undefined;
        bind(name, actual);
        return actual;
      });
    }
    if (Array.isArray(expected)) {
      return expected.map((item, index) => settle(item, Array.isArray(actual) ? actual[index] : undefined));
    }
    if (typeof expected !== 'object' || expected === null) return expected;
    const seen = (typeof actual === 'object' && actual !== null ? actual : {}) as Readonly<Record<string, unknown>>;
    return Object.fromEntries(
      Object.entries(expected).map(([key, item]) => {
        const name = String(replace(key, () => undefined));
        return [name, settle(item, Object.hasOwn(seen, name) ? seen[name] : undefined)];
      }),
    );
  };

  return { bind, fill, settle };
}

/** A copy with every text, keys included, put through `change`; only a text in the place of a value may become another. */
function mapped(value: unknown, change: (text: string) => unknown): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item) => mapped(item, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [String(change(key)), mapped(item, change)]));
}
