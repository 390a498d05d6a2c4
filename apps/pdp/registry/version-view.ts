import { Inject, Injectable } from '@nestjs/common';
import type { Definition } from '../../../libs/capability/definition.js';
import type { SupplyChain } from '../../../libs/capability/manifest.js';
import { trustOf } from '../../../libs/capability/exceptions.js';
import type { CapabilityState, VersionState } from '../../../libs/capability/state.js';
import type { CapabilityView, ManifestView, VersionView } from '../../../libs/contract/registry.js';
import { ControlView } from '../../../libs/control/control-view.js';
import { LogTime } from '../../../libs/control/log-time.js';
import { readJson } from '../../../libs/event-log/blobs.js';
import { signatureOf } from '../../../libs/capability/signature.js';
import { defined } from '../../../libs/kernel/defined.js';
import { EVENT_LOG, type EventLog } from '../tokens.js';

/** Views of versions: the state, and the documents that the state only names. */
@Injectable()
export class VersionViews {
  constructor(
    @Inject(EVENT_LOG) private readonly log: EventLog,
    @Inject(ControlView) private readonly view: ControlView,
    @Inject(LogTime) private readonly time: LogTime,
  ) {}

  async capability(
    state: CapabilityState,
    which: (version: VersionState) => boolean = () => true,
  ): Promise<CapabilityView> {
    const { id, kind, category, owner, publishers, proposedPublishers } = state;
    const versions = await Promise.all(
      [...state.versions.values()].filter(which).map((each) => this.version(state, each)),
    );
    return defined({
      id,
      kind,
      category,
      owner,
      publishers,
      proposedPublishers: proposedPublishers?.publishers,
      versions,
    });
  }

  async version(capability: CapabilityState, state: VersionState): Promise<VersionView> {
    // Copied before the wait, because the state is live.
    const { version, status, source, definitionDigest, probe, review, proposedBy, proposedAt, documents } = state;
    const { findings, findingsLeftOut, searchedBy } = state;
    const trust = trustOf(state);
    const suspendedFor = [...state.suspendedFor].sort();
    const signature = signatureOf(capability, state, (id) => this.view.publisher(id).state, this.time.now());
    const manifest = await readJson<ManifestView>(this.log, documents.manifest);
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
      signature,
      review,
      trust,
      findings: findings === undefined ? undefined : [...findings],
      findingsLeftOut,
      searchedBy,
      suspendedFor,
      proposedBy,
      proposedAt,
    });
  }

  definition(state: VersionState): Promise<Definition> {
    return readJson<Definition>(this.log, state.documents.definition);
  }

  manifest(state: VersionState): Promise<ManifestView> {
    return readJson<ManifestView>(this.log, state.documents.manifest);
  }

  supplyChain(state: VersionState): Promise<SupplyChain | undefined> {
    const digest = state.documents.supplyChain;
    return digest === undefined ? Promise.resolve(undefined) : readJson<SupplyChain>(this.log, digest);
  }
}
