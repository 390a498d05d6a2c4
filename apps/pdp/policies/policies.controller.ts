import { Controller, Inject } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import {
  getPolicySet,
  proposePolicy,
  reviewPolicy,
  type PolicyAnswer,
  type PolicySet,
} from '../../../libs/contract/policies.js';
import { ControlView } from '../../../libs/control/control-view.js';
import { readText } from '../../../libs/event-log/blobs.js';
import { defined } from '../../../libs/kernel/defined.js';
import { digestOf } from '../../../libs/kernel/digest.js';
import type { Principal } from '../edge/access.js';
import type { Asked } from '../edge/asked.js';
import { checkedKey } from '../edge/idempotency.js';
import { Problem } from '../edge/problem.js';
import { Handles } from '../http/handles.js';
import { EVENT_LOG, type EventLog } from '../tokens.js';
import { PoliciesCommand, type PolicyRequest } from './policies.handler.js';

/** Most versions of a set that are shown: the newest with their texts, and the one in force. */
const MAX_SHOWN = 50;

@Controller()
export class PoliciesController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(ControlView) private readonly view: ControlView,
    @Inject(EVENT_LOG) private readonly log: EventLog,
  ) {}

  @Handles(proposePolicy)
  propose({ params, body, caller, idempotencyKey }: Asked<typeof proposePolicy>): Promise<PolicyAnswer> {
    const clientKey = checkedKey(idempotencyKey);
    const key = clientKey === undefined ? undefined : digestOf({ by: caller.name, key: clientKey });
    return this.run(caller, { type: 'propose', ...params, ...body, key });
  }

  @Handles(reviewPolicy)
  review({ params, body, caller }: Asked<typeof reviewPolicy>): Promise<PolicyAnswer> {
    return this.run(caller, { type: 'review', ...params, ...body });
  }

  @Handles(getPolicySet)
  async get({ params: { set } }: Asked<typeof getPolicySet>): Promise<PolicySet> {
    const { state } = this.view.policySet(set);
    if (state.versions.size === 0) throw new Problem('not_found', 'no such policy set');
    const active = state.active?.policyVersion;
    // Copied before the wait, because the state is live.
    const oldest = state.versions.size - MAX_SHOWN;
    const newest = [...state.versions.values()]
      .filter(({ policyVersion }) => policyVersion > oldest || policyVersion === active)
      .map((version) => ({ ...version }));
    const versions = await Promise.all(
      newest.map(async ({ cedar, key: _key, ...version }) => ({
        ...version,
        cedar: await readText(this.log, cedar),
      })),
    );
    return defined({ set, active, versions });
  }

  private async run(caller: Principal, request: PolicyRequest): Promise<PolicyAnswer> {
    const { policyVersion, position, warnings } = await this.commands.execute(new PoliciesCommand(caller, request));
    const { set } = request;
    const { status = 'pending' } = this.view.policySet(set).state.versions.get(policyVersion) ?? {};
    const shown = warnings.length === 0 ? undefined : warnings;
    return defined({ set, policyVersion, status, warnings: shown, position: String(position) });
  }
}
