import { randomUUID } from 'node:crypto';
import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ServerEvidence } from '../../../libs/calls/events.js';
import { Definition, Probe } from '../../../libs/capability/definition.js';
import { diffDefinitions, type Diff } from '../../../libs/capability/diff.js';
import { probeDifference } from '../../../libs/capability/probe.js';
import type { SupplyChain } from '../../../libs/capability/manifest.js';
import type { VersionState } from '../../../libs/capability/state.js';
import { CallIndex } from '../../../libs/audit/index/call-index.js';
import { ControlPlane } from '../../../libs/control/control-plane.js';
import { driftWrites } from '../../../libs/control/drift.js';
import { canonicalJson } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import { fingerprintDefinition } from '../../../libs/kernel/definition-digest.js';
import { ok } from '../../../libs/kernel/result.js';
import { NameId, VersionId } from '../../../libs/vocabulary/ids.js';
import { Access, callerOf } from '../edge/access.js';
import { parseInput } from '../edge/body.js';
import { FRESHNESS_MS } from '../edge/freshness.js';
import { Problem, unwrap } from '../edge/problem.js';
import { EVENT_LOG, type EventLog } from '../tokens.js';
import { VersionViews } from './version-view.js';

const ObservationBody = z.strictObject({
  definition: Definition,
  probe: Probe.optional(),
  server: ServerEvidence.optional(),
});

/** What has changed: between two versions, and between a version and what a host sees of it. */
@Controller('v1/capabilities/:id/versions/:version')
export class DriftController {
  constructor(
    @Inject(ControlPlane) private readonly plane: ControlPlane,
    @Inject(VersionViews) private readonly views: VersionViews,
    @Inject(CallIndex) private readonly index: CallIndex,
    @Inject(EVENT_LOG) private readonly log: EventLog,
  ) {}

  @Get('diff')
  @Access('any')
  async diff(
    @Param('id') id: string,
    @Param('version') version: string,
    @Query('against') against: unknown,
  ): Promise<Diff & { supplyChain: SupplyChainDiff }> {
    const after = this.find(id, version);
    const before = this.find(id, parseInput(VersionId, against));
    const diff = diffDefinitions(await this.views.definition(before), await this.views.definition(after));
    return {
      ...diff,
      supplyChain: supplyChainDiff(await this.views.supplyChain(before), await this.views.supplyChain(after)),
    };
  }

  @Post('observations')
  @HttpCode(200)
  @Access(['host'], 'definitionBytes')
  async observe(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Param('version') version: string,
    @Body() body: unknown,
  ): Promise<Record<string, unknown>> {
    const { definition: observed, probe } = parseInput(ObservationBody, body);
    const caller = callerOf(request);
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
    // What a server declares of itself has no supply-chain record, so nothing of it differs.
    const drift = diff === undefined ? {} : { drift: { ...diff, supplyChain: [] } };
    // Found again: the state may have been put to rest and woken meanwhile.
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

  /** Waits until the index has seen all that is committed, so that a task opened just now counts. */
  private async hostPinsVersion(host: string, capability: string, version: string): Promise<boolean> {
    if (!(await this.index.waitFor(await this.log.end(), FRESHNESS_MS))) {
      throw new Problem('view_stale', 'the open tasks are not known yet');
    }
    return this.index.hostPinsVersion(host, capability, version, this.plane.time.now());
  }

  private find(id: string, version: string): VersionState {
    const state = this.plane.view
      .capability(parseInput(NameId, id))
      .state?.versions.get(parseInput(VersionId, version));
    if (state === undefined) throw new Problem('not_found', 'no such version');
    return state;
  }
}

type SupplyChainDiff = { readonly field: string; readonly before?: unknown; readonly after?: unknown }[];

/** The fields of the supply-chain record that differ, each with both values; empty where nothing does. */
function supplyChainDiff(before: SupplyChain | undefined, after: SupplyChain | undefined): SupplyChainDiff {
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
