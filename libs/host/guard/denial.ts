import { defined } from '../../kernel/defined.js';
import type { Decision, Difference } from '../service/answers.js';
import type { Refusal } from './refusal.js';

type Deny = Extract<Decision, { decision: 'deny' }>;

/** A denial of the service as a refusal, with the details that help a person or an agent to correct it. */
export function denialOf({ reason, checks, approval }: Deny, callId: string): Refusal {
  const denied = defined({ reason, by: 'service' as const, callId, approval });
  const evidence = checks.findLast(({ outcome }) => outcome === 'fail')?.evidence;
  if (evidence === undefined) return denied;
  const { errors, ...difference } = evidence;
  if (reason === 'arguments_invalid' && errors !== undefined && errors.length > 0) {
    const faults = errors.map(({ path, keyword }) => `${path === '' ? 'the arguments' : path} (${keyword})`);
    return { ...denied, errors, detail: `the pinned schema does not accept ${faults.join(', ')}` };
  }
  if (reason !== 'definition_drifted') return denied;
  return { ...denied, difference, detail: sentenceOf(difference) };
}

const HINTS: Readonly<Record<string, string>> = {
  equal_but_for_nulls:
    '; they are equal except for nulls: your client writes absent members as null, so digest what the server sent ' +
    '(Python: exclude_unset=True, Go: omitempty)',
};

function sentenceOf({ expected, observed, probe, hint }: Difference): string {
  const why = hint !== undefined && Object.hasOwn(HINTS, hint) ? HINTS[hint] : '';
  const digests = `the server declares ${observed ?? 'nothing'}, and ${expected ?? 'nothing'} was reviewed${why}`;
  if (probe === undefined) return digests;
  const members = Object.keys({ ...probe.expected, ...probe.observed }).map((member) => {
    const [before, now] = [probe.expected[member], probe.observed[member]];
    return `${NAMES[member] ?? member} ${JSON.stringify(now) ?? 'none'} (reviewed with ${JSON.stringify(before) ?? 'none'})`;
  });
  return `${digests}; it was asked with another ${members.join(' and another ')}`;
}

const NAMES: Readonly<Record<string, string>> = {
  protocolVersion: 'protocol revision',
  clientCapabilities: 'set of client capabilities',
  credentialScope: 'credential scope',
};
