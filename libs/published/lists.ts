import { z } from 'zod';
import type { RecordedCheck } from '../calls/events.js';
import { shownProbe, type ShownProbe } from '../capability/probe.js';
import { canonicalJson, isJsonObject, type Json } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { pointerTo } from '../kernel/pointer.js';
import { Label } from '../vocabulary/ids.js';
import { CheckName } from '../vocabulary/words.js';

/**
 * Maps and mixed values of events as published: lists whose members have fixed names, and one type for each name. A store
 * that makes a field of each JSON key would otherwise get a new field with each task or operation.
 */

export const Basis = z.array(z.strictObject({ stream: z.string(), revision: z.int().min(0) }));

export const basisList = (basis: Readonly<Record<string, number>>): z.infer<typeof Basis> =>
  Object.entries(basis).map(([stream, revision]) => ({ stream, revision }));

/** A leaf of evidence: `name` is its JSON Pointer in the evidence, `value` its text, or its JSON if it is no text. */
const Leaf = z.strictObject({ name: z.string(), value: z.string() });

export const Checks = z.array(
  z.strictObject({
    check: CheckName,
    outcome: z.enum(['pass', 'fail', 'skipped']),
    evidence: z.array(Leaf).optional(),
  }),
);

export function checkList(checks: readonly RecordedCheck[]): z.infer<typeof Checks> {
  return checks.map((recorded) => {
    if (typeof recorded === 'string') return { check: recorded, outcome: 'pass' };
    const [check, outcome, evidence] = recorded;
    return defined({ check, outcome, evidence: evidence === undefined ? undefined : leavesOf(evidence as Json) });
  });
}

/** The leaves of a value, in order. An empty container below the top is a leaf. Depth is bounded by the parser. */
function leavesOf(value: Json, path: readonly (string | number)[] = []): z.infer<typeof Leaf>[] {
  const isContainer = typeof value === 'object' && value !== null;
  const entries = isContainer ? Object.entries(value) : [];
  if (entries.length > 0 || (isContainer && path.length === 0)) {
    return entries.flatMap(([name, member]) => leavesOf(member, [...path, name]));
  }
  return [{ name: pointerTo(...path), value: textOf(value) }];
}

/** A text as it is, any other value as its RFC 8785 form. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : canonicalJson(value));

export const Engines = z.array(z.strictObject({ engine: z.string(), version: z.string() }));

export const engineList = (engines: Readonly<Record<string, unknown>>): z.infer<typeof Engines> =>
  Object.entries(engines).map(([engine, version]) => ({ engine, version: textOf(version) }));

export const ProbeForm = z.strictObject({
  protocolVersion: z.string(),
  /** RFC 8785 form, or its digest if that is long: a client chooses the keys. */
  clientCapabilities: z.string(),
  credentialScope: Label.optional(),
});

export function probeForm(probe: ShownProbe): z.infer<typeof ProbeForm> {
  const { protocolVersion, clientCapabilities, credentialScope } = shownProbe(probe);
  return defined({ protocolVersion, clientCapabilities: textOf(clientCapabilities), credentialScope });
}

/** A map as a list of its values, each with its key under `name`. */
export function keyed(map: unknown, name: string): object[] {
  const entries = isJsonObject(map) ? Object.entries(map) : [];
  return entries.map(([key, value]) => ({ [name]: key, ...(value as object) }));
}
