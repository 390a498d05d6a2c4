import { Inject, Injectable } from '@nestjs/common';
import type { Definition, Probe } from '../../../libs/capability/definition.js';
import type { Source, SupplyChain } from '../../../libs/capability/manifest.js';
import { trustOf } from '../../../libs/capability/exceptions.js';
import type { CapabilityState, Review, VersionState } from '../../../libs/capability/state.js';
import { readJson } from '../../../libs/event-log/blobs.js';
import { signatureResult } from '../../../libs/decision/version-checks.js';
import type { JsonObject } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import type { Instant } from '../../../libs/kernel/time.js';
import type { Kind, VersionStatus } from '../../../libs/vocabulary/words.js';
import { EVENT_LOG, type EventLog } from '../tokens.js';

/** A version as the wire shows it (`contract.md`, Registry). */
export interface VersionView {
  readonly capability: string;
  readonly version: string;
  readonly kind: Kind;
  readonly category: string;
  readonly owner: string;
  readonly status: VersionStatus;
  readonly source: Source;
  readonly definitionDigest: string;
  readonly probe?: Probe;
  readonly manifest: JsonObject;
  readonly supplyChain?: SupplyChain;
  readonly signature: { readonly result: string };
  readonly review?: Review;
  /** A reviewer accepted that nothing proves which server this is. */
  readonly trust?: 'low';
  /** Hosts for which alone the version is suspended; `status` says whether it is for all. */
  readonly suspendedFor: readonly string[];
  readonly proposedBy: string;
  readonly proposedAt: Instant;
}

export interface CapabilityView {
  readonly id: string;
  readonly kind: Kind;
  readonly category: string;
  readonly owner: string;
  readonly publishers: readonly string[];
  readonly versions: readonly VersionView[];
}

/** Spells versions out: what the state holds, and the documents that it only names. */
@Injectable()
export class VersionViews {
  constructor(@Inject(EVENT_LOG) private readonly log: EventLog) {}

  async capability(
    state: CapabilityState,
    which: (version: VersionState) => boolean = () => true,
  ): Promise<CapabilityView> {
    const { id, kind, category, owner, publishers } = state;
    const versions = await Promise.all(
      [...state.versions.values()].filter(which).map((each) => this.version(state, each)),
    );
    return { id, kind, category, owner, publishers, versions };
  }

  async version(capability: CapabilityState, state: VersionState): Promise<VersionView> {
    // Copied before the wait: the state is live.
    const { version, status, source, definitionDigest, probe, review, proposedBy, proposedAt, documents } = state;
    const trust = trustOf(state);
    const suspendedFor = [...state.suspendedFor].sort();
    const manifest = await readJson<JsonObject>(this.log, documents.manifest);
    const supplyChain =
      documents.supplyChain === undefined ? undefined : await readJson<SupplyChain>(this.log, documents.supplyChain);
    return defined({
      capability: capability.id,
      version,
      kind: capability.kind,
      category: capability.category,
      owner: capability.owner,
      status,
      source,
      definitionDigest,
      probe,
      manifest,
      supplyChain,
      signature: { result: signatureResult(documents.signature !== undefined) },
      review,
      trust,
      suspendedFor,
      proposedBy,
      proposedAt,
    });
  }

  definition(state: VersionState): Promise<Definition> {
    return readJson<Definition>(this.log, state.documents.definition);
  }

  supplyChain(state: VersionState): Promise<SupplyChain | undefined> {
    const digest = state.documents.supplyChain;
    return digest === undefined ? Promise.resolve(undefined) : readJson<SupplyChain>(this.log, digest);
  }
}
