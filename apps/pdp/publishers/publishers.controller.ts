import { Controller, Inject } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import * as contract from '../../../libs/contract/publishers.js';
import type { KeyChanged, PublisherChanged, PublisherView } from '../../../libs/contract/publishers.js';
import { ControlView } from '../../../libs/control/control-view.js';
import { LogTime } from '../../../libs/control/log-time.js';
import { defined } from '../../../libs/kernel/defined.js';
import { keyStatus, type PublisherState } from '../../../libs/publisher/decider.js';
import { pemOf, readPublicKey } from '../../../libs/trust/dsse.js';
import type { Principal } from '../edge/access.js';
import type { Asked } from '../edge/asked.js';
import { Problem } from '../edge/problem.js';
import { Handles } from '../http/handles.js';
import { pageOf, type Page } from '../http/paging.js';
import { PublishersCommand, type PublisherRequest } from './publishers.handler.js';

type Contract = typeof contract;

@Controller()
export class PublishersController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(ControlView) private readonly view: ControlView,
    @Inject(LogTime) private readonly time: LogTime,
  ) {}

  @Handles(contract.registerPublisher)
  register({ body: { id, name }, caller }: Asked<Contract['registerPublisher']>): Promise<PublisherChanged> {
    return this.changed(caller, { type: 'register', publisher: id, name });
  }

  @Handles(contract.listPublishers)
  async list({ page }: Asked<Contract['listPublishers']>): Promise<Page<PublisherView>> {
    const signs = await this.capabilities();
    const publishers = this.view.publishers();
    const walk = async function* (after = '') {
      yield* publishers.filter(({ id }) => id > after);
    };
    const { items, ...more } = await pageOf(walk, ({ id }) => id, page);
    return { items: items.map((state) => this.shown(state, signs)), ...more };
  }

  @Handles(contract.getPublisher)
  async get({ params: { id } }: Asked<Contract['getPublisher']>): Promise<PublisherView> {
    const signs = await this.capabilities();
    return this.shown(this.find(id), signs);
  }

  @Handles(contract.proposeKey)
  proposeKey({ params, body, caller }: Asked<Contract['proposeKey']>): Promise<KeyChanged> {
    const read = readPublicKey(body.publicKey, body.algorithm);
    if (typeof read === 'string') {
      const errors = [{ path: '/publicKey', message: read }];
      throw new Problem('malformed_request', 'the key cannot be registered', errors);
    }
    const key = { ...body, publicKey: pemOf(read) };
    return this.keyChanged(caller, body.keyId, { type: 'propose-key', publisher: params.id, key });
  }

  @Handles(contract.reviewKey)
  reviewKey({ params: { id, keyId }, body, caller }: Asked<Contract['reviewKey']>): Promise<KeyChanged> {
    return this.keyChanged(caller, keyId, { type: 'review-key', publisher: id, keyId, ...body });
  }

  @Handles(contract.revokeKey)
  revokeKey({ params: { id, keyId }, body, caller }: Asked<Contract['revokeKey']>): Promise<KeyChanged> {
    return this.keyChanged(caller, keyId, { type: 'revoke-key', publisher: id, keyId, ...body });
  }

  @Handles(contract.revokePublisher)
  revoke({ params: { id }, body, caller }: Asked<Contract['revokePublisher']>): Promise<PublisherChanged> {
    return this.changed(caller, { type: 'revoke', publisher: id, ...body });
  }

  private async changed(caller: Principal, request: PublisherRequest): Promise<PublisherChanged> {
    const { position } = await this.commands.execute(new PublishersCommand(caller, request));
    const signs = await this.capabilities();
    return { ...this.shown(this.find(request.publisher), signs), position: String(position) };
  }

  private async keyChanged(caller: Principal, keyId: string, request: PublisherRequest): Promise<KeyChanged> {
    const { position } = await this.commands.execute(new PublishersCommand(caller, request));
    const state = this.find(request.publisher);
    const key = state.keys.get(keyId);
    if (key === undefined) throw new Problem('not_found', 'the publisher has no such key');
    const status = keyStatus(state, key, this.time.now());
    return { publisher: state.id, keyId, status, position: String(position) };
  }

  private find(id: string): PublisherState {
    const { state } = this.view.publisher(id);
    if (state === undefined) throw new Problem('not_found', 'no such publisher');
    return state;
  }

  /** The capabilities that each publisher may sign for. */
  private async capabilities(): Promise<ReadonlyMap<string, readonly string[]>> {
    const signs = new Map<string, string[]>();
    for await (const { id, publishers } of this.view.capabilitiesFrom())
      for (const publisher of publishers) signs.set(publisher, [...(signs.get(publisher) ?? []), id]);
    return signs;
  }

  private shown(state: PublisherState, signs: ReadonlyMap<string, readonly string[]>): PublisherView {
    const now = this.time.now();
    const { id, name, revoked, keys } = state;
    return {
      id,
      name,
      status: revoked ? 'revoked' : 'active',
      keys: [...keys.values()].map((key) => {
        const { keyId, algorithm, publicKey, notAfter, proposedBy, reviewedBy } = key;
        const status = keyStatus(state, key, now);
        return defined({ keyId, algorithm, publicKey, status, notAfter, proposedBy, reviewedBy });
      }),
      capabilities: [...(signs.get(id) ?? [])],
    };
  }
}
