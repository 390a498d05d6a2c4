import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { CallIndex } from '../../../libs/audit/index/call-index.js';
import type { Matches } from '../../../libs/contract/directives.js';
import { ControlView } from '../../../libs/control/control-view.js';
import { LogTime } from '../../../libs/control/log-time.js';
import { matchesVersion } from '../../../libs/decision/matches.js';
import type { Target } from '../../../libs/directive/target.js';
import { defined } from '../../../libs/kernel/defined.js';

/** How long the answer to a directive may wait for the index of tasks, in milliseconds. The directive already holds. */
const INDEX_MS = 200;

/** Counts what a target matches, after its directive has been committed. */
@Injectable()
export class TargetMatches {
  constructor(
    @Inject(ControlView) private readonly view: ControlView,
    @Inject(CallIndex) private readonly index: CallIndex,
    @Inject(LogTime) private readonly time: LogTime,
  ) {}

  /** `position` is at or after the commit. */
  async of(target: Target, position: bigint): Promise<Matches> {
    const isTasks = target.type === 'host' || target.type === 'task';
    const versions: { capability: string; version: string }[] = [];
    let capabilities = 0;
    for await (const capability of this.capabilities(target)) {
      const matched = [...capability.versions.values()].filter(
        (version) => isTasks || matchesVersion(target, capability, version),
      );
      if (matched.length > 0) capabilities += 1;
      for (const { version } of matched) versions.push({ capability: capability.id, version });
    }
    const openTasks = await this.openTasks(target, versions, position);
    return defined({
      ...(isTasks ? { capabilities: 0, versions: 0 } : { capabilities, versions: versions.length }),
      openTasks,
    });
  }

  private async *capabilities(target: Target) {
    if (!('capability' in target)) return yield* this.view.capabilitiesFrom();
    const { state } = this.view.capability(target.capability);
    if (state !== undefined) yield state;
  }

  private async openTasks(
    target: Target,
    versions: readonly { readonly capability: string; readonly version: string }[],
    position: bigint,
  ): Promise<number | undefined> {
    if (versions.length === 0) return 0;
    const hosts = target.type === 'host' ? [target.host] : this.hosts();
    const task = target.type === 'task' ? target.taskId : undefined;
    const counting = this.index.waitFor(position, INDEX_MS).then(async (isThere) => {
      return isThere ? this.index.openTasks({ versions, hosts, task }, this.time.now()) : undefined;
    });
    // If the index fails or is slow, the directive is still in force, so it is answered.
    return Promise.race([counting.catch(() => undefined), pause(INDEX_MS, undefined, { ref: false })]);
  }

  private hosts(): string[] {
    return this.view.principals().flatMap((principal) => (principal?.roles.includes('host') ? [principal.name] : []));
  }
}
