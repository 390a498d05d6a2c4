import { Controller, Inject } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import {
  acknowledgeDirectives,
  feedKeys,
  getDirectiveTerms,
  getPropagation,
  issueDirective,
  liftDirective,
  listDirectives,
  type Propagation,
} from '../../../libs/contract/directives.js';
import type { AnswerOf } from '../../../libs/contract/operation.js';
import { ControlView } from '../../../libs/control/control-view.js';
import { beatText, type Beat } from '../../../libs/feed/beat.js';
import { BeatSigner } from '../../../libs/feed/beat-signer.js';
import { Instances } from '../../../libs/fleet/instances.js';
import { defined } from '../../../libs/kernel/defined.js';
import { digestOf } from '../../../libs/kernel/digest.js';
import type { Asked } from '../edge/asked.js';
import { createIdOf } from '../edge/idempotency.js';
import { Problem, unwrap } from '../edge/problem.js';
import { Handles } from '../http/handles.js';
import { INSTALLATION_SECRET, SETTINGS, type InstallationSecret, type Settings } from '../tokens.js';
import { DirectivesCommand } from './directives.handler.js';
import { TargetMatches } from './matches.js';
import { noPages, recordsOf } from './records.js';

const listText = (answer: Beat | object): string => ('kid' in answer ? beatText(answer) : JSON.stringify(answer));

@Controller()
export class DirectivesController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(ControlView) private readonly view: ControlView,
    @Inject(BeatSigner) private readonly signer: BeatSigner,
    @Inject(TargetMatches) private readonly matches: TargetMatches,
    @Inject(Instances) private readonly instances: Instances,
    @Inject(INSTALLATION_SECRET) private readonly secret: InstallationSecret,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {}

  @Handles(issueDirective)
  async issue(asked: Asked<typeof issueDirective>): Promise<AnswerOf<typeof issueDirective>> {
    const { id: clientId, ...wanted } = asked.body;
    const id = createIdOf(asked, this.secret, 'directive', clientId);
    const command = defined({ type: 'issue' as const, id, ...wanted, requestDigest: digestOf(wanted) });
    const { position } = await this.commands.execute(new DirectivesCommand(asked.caller, command));
    const { target } = wanted;
    const matches = await this.matches.of(target, position);
    const issued = this.view.directives().state.all.get(id);
    if (issued === undefined) throw new Error('a directive that was committed is not in the view');
    const { epoch, state, issuedAt } = issued;
    return { id, epoch, state, target, issuedAt, position: String(position), matches };
  }

  @Handles(liftDirective)
  async lift({ params, body, caller }: Asked<typeof liftDirective>): Promise<AnswerOf<typeof liftDirective>> {
    const command = { type: 'lift', ...params, ...body } as const;
    const { position, epoch } = await this.commands.execute(new DirectivesCommand(caller, command));
    return { ...params, epoch, position: String(position) };
  }

  @Handles(listDirectives, listText)
  async list({ query, caller }: Asked<typeof listDirectives>): Promise<AnswerOf<typeof listDirectives>> {
    const { instanceId, state = 'active', limit, cursor } = query;
    if (state !== 'active') return recordsOf(this.view.directives().state, { state, limit, cursor });
    if (limit !== undefined || cursor !== undefined) throw noPages();
    const beat = await this.signer.snapshot();
    if (instanceId !== undefined && caller.roles.includes('host')) this.instances.beatLeft(caller, instanceId);
    return beat;
  }

  @Handles(getDirectiveTerms)
  terms(): AnswerOf<typeof getDirectiveTerms> {
    const { leaseMs, skewMs } = this.settings;
    return { leaseMs, skewMs, ...this.keys() };
  }

  @Handles(acknowledgeDirectives)
  async acknowledge({ body, caller }: Asked<typeof acknowledgeDirectives>): Promise<{ position: string }> {
    const { position } = unwrap(await this.instances.acknowledge(caller, body));
    return { position: String(position) };
  }

  @Handles(getPropagation)
  async propagation({ params: { id } }: Asked<typeof getPropagation>): Promise<Propagation> {
    const propagation = await this.instances.propagation(id);
    if (propagation === undefined) throw new Problem('not_found', 'no such directive');
    return propagation;
  }

  @Handles(feedKeys)
  keys(): AnswerOf<typeof feedKeys> {
    return { keys: [this.signer.publicKey()] };
  }
}
