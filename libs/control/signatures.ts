import { DsseEnvelope } from '../capability/manifest.js';
import type { PreparedProposal } from '../capability/proposal.js';
import { capabilityDecider } from '../capability/decider.js';
import type { CapabilityState, VersionState } from '../capability/state.js';
import { readText } from '../event-log/blobs.js';
import type { LogReading, StreamCheck } from '../event-log/port.js';
import { canonicalJson, type Json } from '../kernel/canonical-json.js';
import type { Digest } from '../kernel/digest.js';
import { ok } from '../kernel/result.js';
import { families } from '../streams/catalogue.js';
import { findSigners, type ManifestStatement, type SignatureFinding } from '../trust/manifest-signature.js';
import type { ControlPlane } from './control-plane.js';
import type { ControlView } from './control-view.js';
import { capabilityWrites } from './stops.js';

/** The part of the service that verifies signatures again when keys come. */
const SYSTEM = { name: 'system:signatures' };

/** A capability as a statement names it. */
export type Subject = Pick<CapabilityState, 'id' | 'kind' | 'category' | 'owner' | 'publishers'>;
type Facts = Pick<VersionState, 'version' | 'source' | 'definitionDigest' | 'documents'>;

/** The signers of a version, and the streams of publishers that must not have moved meanwhile. */
export interface Verification {
  readonly found: SignatureFinding;
  readonly checks: readonly StreamCheck[];
}

/**
 * Verifies the signatures of a proposal with the keys of now. Undefined if it has no envelope. The append of the proposal
 * carries the checks, so a key that comes at the same time is not missed.
 */
export function verifyProposal(
  view: ControlView,
  subject: Subject,
  { proposed, documents }: PreparedProposal,
): Verification | undefined {
  return verificationOf(view, subject, proposed, (digest) => documents.get(digest));
}

function verificationOf(
  view: ControlView,
  { id, kind, category, owner, publishers }: Subject,
  { version, source, definitionDigest, documents }: Facts,
  textOf: (digest: Digest) => string | undefined,
): Verification | undefined {
  if (documents.signature === undefined) return undefined;
  const parse = (digest: Digest): Json => JSON.parse(textOf(digest) ?? 'null') as Json;
  const envelope = DsseEnvelope.parse(parse(documents.signature));
  const statement: ManifestStatement = {
    capability: id,
    kind,
    category,
    owner,
    version,
    source: jsonOf(source),
    definitionDigest,
    manifest: parse(documents.manifest),
    supplyChainDigest: documents.supplyChain,
  };
  const states = publishers.map((id) => view.publisher(id).state).filter((state) => state !== undefined);
  return { found: findSigners(envelope, statement, states), checks: publisherChecks(view, publishers) };
}

/** The preconditions of an append that rests on publishers: no key came or went meanwhile. */
export const publisherChecks = (view: ControlView, publishers: readonly string[]): StreamCheck[] =>
  publishers.map((id) => ({ stream: families.publisher.stream(id), expected: view.publisher(id).revision }));

const jsonOf = (value: object): Json => JSON.parse(canonicalJson(value)) as Json;

/** Whether a key has come, or a publisher, that the signatures of a version were not verified with. */
function isBehind(view: ControlView, { publishers }: CapabilityState, { documents, signature }: VersionState): boolean {
  if (documents.signature === undefined) return false;
  if (signature === undefined) return true;
  const tried = new Map(signature.tried.map(({ publisher, keys }) => [publisher, keys]));
  return publishers.some((id) => (view.publisher(id).state?.keys.size ?? 0) !== (tried.get(id) ?? 0));
}

/** Keeps the results of signatures in step with the keys of publishers: a key that is not verified yet carries nothing. */
export class Signatures {
  constructor(
    private readonly log: Pick<LogReading, 'blob'>,
    private readonly plane: ControlPlane,
  ) {}

  /**
   * Verifies every version again that is behind. Decisions have their turn in between. Throws what the log throws; a
   * version that remains behind is denied until the next time.
   */
  async catchUp(): Promise<void> {
    const { view } = this.plane;
    const behind: [capability: string, version: string][] = [];
    for await (const capability of view.capabilitiesFrom())
      for (const version of capability.versions.values())
        if (isBehind(view, capability, version)) behind.push([capability.id, version.version]);
    for (const [capability, version] of behind) await this.verify(capability, version);
  }

  private async verify(capabilityId: string, versionId: string): Promise<void> {
    const { plane, log } = this;
    const { documents } = plane.view.capability(capabilityId).state?.versions.get(versionId) ?? {};
    if (documents?.signature === undefined) return;
    const texts = new Map<Digest, string>();
    for (const digest of [documents.signature, documents.manifest]) texts.set(digest, await readText(log, digest));
    const done = await plane.run(SYSTEM, (time) => {
      const { state } = plane.view.capability(capabilityId);
      const version = state?.versions.get(versionId);
      const verification =
        state && version && verificationOf(plane.view, state, version, (digest) => texts.get(digest));
      if (verification === undefined) return ok({ writes: [] });
      const command = { type: 'verify' as const, version: versionId, found: verification.found };
      const decided = capabilityDecider.decide({ ...command, actor: SYSTEM.name, time }, state);
      if (!decided.ok) return decided;
      const writes = capabilityWrites(plane.view, capabilityId, decided.value);
      return writes.ok ? ok({ writes: writes.value, checks: verification.checks }) : writes;
    });
    if (!done.ok) throw new Error(done.error.detail);
  }
}
