import type { CapabilityState, Sighting, VersionState } from './state.js';

/** A state as JSON can hold it. */
type RestingVersion = Omit<VersionState, 'suspendedFor' | 'observed'> & {
  readonly suspendedFor: readonly string[];
  readonly observed: readonly [string, Sighting][];
};
type RestingCapability = Omit<CapabilityState, 'versions'> & { readonly versions: readonly RestingVersion[] };

/** What stands in nearly every state. In JSON no control character stands for itself, so each word has one for its own. */
const WORDS = [
  '"id":"|,"kind":"mcp-server"|,"category":"|,"owner":"|,"publishers":[|,"versions":[{|,"approvals":|,"driftSuspensions":[',
  '"version":"|"source":{|"integrity":"|"name":"|"type":"|,"documents":{|"definition":|,"manifest":|,"operations":{',
  '"arguments":|"effects":["|"output":|,"sensitivity":"internal"|,"server":{|,"proposedBy":"|,"proposedAt":"',
  ',"status":"approved"|,"suspendedFor":[],"observed":[],"drifted":false|,"review":{"verdict":"approved"|,"firstApproval":1',
].flatMap((line) => line.split('|'));
const DIGEST = '\u0000';
const DIGEST_CHARS = 43;
const charOf = (index: number): string => String.fromCharCode(index + 1);
const CHARS = new Map(WORDS.map((word, index) => [word, charOf(index)]));
const escaped = (text: string): string => text.replaceAll(/[[\]{}.]/g, String.raw`\$&`);
const PACKED = new RegExp(`"sha256:([0-9a-f]{64})"|${WORDS.map(escaped).join('|')}`, 'g');
const UNPACKED = new RegExp(`${DIGEST}(.{${DIGEST_CHARS}})|[${charOf(0)}-${charOf(WORDS.length - 1)}]`, 'g');

/** A state as a short text, for when it is not in use: `wakeCapability` gives back the like of it. */
export function restCapability(state: CapabilityState): string {
  const versions = [...state.versions.values()].map((version): RestingVersion => ({
    ...version,
    suspendedFor: [...version.suspendedFor],
    observed: [...version.observed],
  }));
  const text = JSON.stringify({ ...state, versions } satisfies RestingCapability);
  return text.replaceAll(PACKED, (word, hex: string | undefined) =>
    hex === undefined ? (CHARS.get(word) ?? word) : DIGEST + Buffer.from(hex, 'hex').toString('base64url'),
  );
}

export function wakeCapability(resting: string): CapabilityState {
  const text = resting.replaceAll(UNPACKED, (char, digest: string | undefined) =>
    digest === undefined
      ? (WORDS[char.charCodeAt(0) - 1] ?? char)
      : `"sha256:${Buffer.from(digest, 'base64url').toString('hex')}"`,
  );
  const { versions, ...state } = JSON.parse(text) as RestingCapability;
  const woken = versions.map((version): [string, VersionState] => {
    const suspendedFor = new Set(version.suspendedFor);
    return [version.version, { ...version, suspendedFor, observed: new Map(version.observed) }];
  });
  return { ...state, versions: new Map(woken) };
}
