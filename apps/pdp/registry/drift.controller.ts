import { randomUUID } from 'node:crypto';
import { Controller, Inject } from '@nestjs/common';
import { CallIndex } from '../../../libs/audit/index/call-index.js';
import { diffManifests } from '../../../libs/capability/manifest-diff.js';
import { diffDefinitions } from '../../../libs/capability/diff.js';
import type { SupplyChain } from '../../../libs/capability/manifest.js';
import { probeDifference } from '../../../libs/capability/probe.js';
import type { VersionState } from '../../../libs/capability/state.js';
import type { AnswerOf } from '../../../libs/contract/operation.js';
import { diffVersions, observeVersion, type VersionDiff } from '../../../libs/contract/registry.js';
import { ControlPlane } from '../../../libs/control/control-plane.js';
import { driftWrites } from '../../../libs/control/drift.js';
import { canonicalJson } from '../../../libs/kernel/canonical-json.js';
import { fingerprintDefinition } from '../../../libs/kernel/definition-digest.js';
import { defined } from '../../../libs/kernel/defined.js';
import { ok } from '../../../libs/kernel/result.js';
import type { Asked } from '../edge/asked.js';
import { FRESHNESS_MS } from '../edge/freshness.js';
import { Problem, unwrap } from '../edge/problem.js';
import { Handles } from '../http/handles.js';
import { EVENT_LOG, type EventLog } from '../tokens.js';
import { VersionViews } from './version-view.js';

/** Differences between two versions, and between a version and what a host observes. */
@Controller()
export class DriftController {
  constructor(
    @Inject(ControlPlane) private readonly plane: ControlPlane,
    @Inject(VersionViews) private readonly views: VersionViews,
    @Inject(CallIndex) private readonly index: CallIndex,
    @Inject(EVENT_LOG) private readonly log: EventLog,
  ) {}

  @Handles(diffVersions)
  async diff({ params: { id, version }, query }: Asked<typeof diffVersions>): Promise<VersionDiff> {
    const after = this.find(id, version);
    const before = this.find(id, query.against);
    const diff = diffDefinitions(await this.views.definition(before), await this.views.definition(after));
    const manifest = diffManifests(await this.views.manifest(before), await this.views.manifest(after));
    return defined({
      ...diff,
      supplyChain: supplyChainDiff(await this.views.supplyChain(before), await this.views.supplyChain(after)),
      manifest: manifest.changes.length === 0 ? undefined : manifest,
    });
  }

  @Handles(observeVersion)
  async observe({ params, body, caller }: Asked<typeof observeVersion>): Promise<AnswerOf<typeof observeVersion>> {
    const { id, version } = params;
    const { definition: observed, probe } = body;
    const state = this.find(id, version);
    const fingerprint = fingerprintDefinition(observed);
    if (!fingerprint.ok) {
      const { path, message } = fingerprint.error;
      throw new Problem('malformed_request', 'the definition cannot be digested', [
        { path: `/definition${path}`, message },
      ]);
    }
    const { digest } = fingerprint.value;
    const diff =
      digest === state.definitionDigest ? undefined : diffDefinitions(await this.views.definition(state), observed);
    const otherProbe = probeDifference(state.probe, probe);
    const hostPinsVersion = await this.hostPinsVersion(caller.name, id, version);
    const directiveId = randomUUID();
    const { position } = unwrap(
      await this.plane.run(caller, (time) => {
        if (diff === undefined || otherProbe !== undefined) return ok({ writes: [] });
        return driftWrites(this.plane.view, {
          host: caller.name,
          capability: id,
          version,
          diff,
          observed,
          observedDigest: digest,
          hostPinsVersion,
          directiveId,
          time,
        });
      }),
    );
    // A server's own declaration has no supply-chain record, so that part never differs.
    const drift = diff === undefined ? {} : { drift: { ...diff, supplyChain: [] } };
    // Looked up again: the state may have been put to rest and woken meanwhile.
    const { status, suspendedFor } = this.find(id, version);
    return defined({
      definitionDigest: digest,
      ...drift,
      probe: diff === undefined || otherProbe === undefined ? undefined : otherProbe,
      status,
      suspendedFor: [...suspendedFor].sort(),
      position: String(position),
    });
  }

  /** Waits until the index has seen every commit, so that a task opened just now counts. */
  private async hostPinsVersion(host: string, capability: string, version: string): Promise<boolean> {
    if (!(await this.index.waitFor(await this.log.end(), FRESHNESS_MS))) {
      throw new Problem('view_stale', 'the open tasks are not known yet');
    }
    return this.index.hostPinsVersion(host, capability, version, this.plane.time.now());
  }

  private find(id: string, version: string): VersionState {
    const state = this.plane.view.capability(id).state?.versions.get(version);
    if (state === undefined) throw new Problem('not_found', 'no such version');
    return state;
  }
}

/** The fields of the supply-chain record that differ, each with both values; empty if none does. */
function supplyChainDiff(before: SupplyChain | undefined, after: SupplyChain | undefined): VersionDiff['supplyChain'] {
  const old = new Map(Object.entries(before ?? {}));
  const now = new Map(Object.entries(after ?? {}));
  return [...new Set([...old.keys(), ...now.keys()])]
    .sort()
    .filter((field) => canonicalJson(old.get(field) ?? null) !== canonicalJson(now.get(field) ?? null))
    .map((field) =>
      defined({
        field,
        before: old.has(field) ? old.get(field) : undefined,
        after: now.has(field) ? now.get(field) : undefined,
      }),
    );
}
