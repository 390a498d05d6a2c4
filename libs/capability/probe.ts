import { z } from 'zod';
import { canonicalJson } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { digestOf } from '../kernel/digest.js';
import { DigestText, FreeObject, Label } from '../vocabulary/ids.js';
import { Probe } from './definition.js';

/** A probe as evidence shows it: capabilities that are too long for an event by their digest. */
export const ShownProbe = z.strictObject({
  clientCapabilities: z.union([FreeObject, DigestText]),
  credentialScope: Label.optional(),
  protocolVersion: Probe.shape.protocolVersion,
});
export type ShownProbe = z.infer<typeof ShownProbe>;

/** The members in which two probes differ, as the reviewed version and as the host asked. */
export interface ProbeDifference {
  readonly expected: Partial<ShownProbe>;
  readonly observed: Partial<ShownProbe>;
}

const MAX_SHOWN_CHARS = 1024;

/** Cuts a probe to what evidence can hold. The same probe is always cut in the same way. */
export function shownProbe({ protocolVersion, clientCapabilities, credentialScope }: Probe | ShownProbe): ShownProbe {
  const isLong = typeof clientCapabilities !== 'string' && canonicalJson(clientCapabilities).length > MAX_SHOWN_CHARS;
  return defined({
    clientCapabilities: isLong ? digestOf(clientCapabilities) : clientCapabilities,
    credentialScope,
    protocolVersion,
  });
}

/** How a server was asked otherwise than at its review; undefined if the probes are equal or one of them is not known. */
export function probeDifference(
  pinned: Probe | undefined,
  asked: Probe | ShownProbe | undefined,
): ProbeDifference | undefined {
  if (pinned === undefined || asked === undefined) return undefined;
  const [before, now] = [shownProbe(pinned), shownProbe(asked)];
  const members = ['clientCapabilities', 'credentialScope', 'protocolVersion'] as const;
  const differing = members.filter((member) => textOf(before[member]) !== textOf(now[member]));
  if (differing.length === 0) return undefined;
  return { expected: only(before, differing), observed: only(now, differing) };
}

const textOf = (member: ShownProbe[keyof ShownProbe]): string => canonicalJson(member ?? null);

function only(probe: ShownProbe, members: readonly (keyof ShownProbe)[]): Partial<ShownProbe> {
  const kept = members.filter((member) => probe[member] !== undefined);
  return Object.fromEntries(kept.map((member) => [member, probe[member]]));
}
