import { Controller, Inject } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { AnswerOf } from '../../../libs/contract/operation.js';
import {
  addPrincipal,
  listPrincipals,
  removePrincipal,
  rotateToken,
  type AddPrincipal,
  type PrincipalView,
} from '../../../libs/contract/principals.js';
import { ControlView } from '../../../libs/control/control-view.js';
import { canonicalJson } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import type { PrincipalState } from '../../../libs/principal/decider.js';
import type { Principal } from '../edge/access.js';
import type { Asked } from '../edge/asked.js';
import { Problem } from '../edge/problem.js';
import { Handles } from '../http/handles.js';
import { pageOf, type Page } from '../http/paging.js';
import { PrincipalsCommand, type PrincipalRequest } from './principals.handler.js';
import { newToken } from './token.js';

@Controller()
export class PrincipalsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(ControlView) private readonly view: ControlView,
  ) {}

  @Handles(addPrincipal)
  async add({ body, caller }: Asked<typeof addPrincipal>): Promise<AnswerOf<typeof addPrincipal>> {
    const shown = defined({ name: body.name, roles: [...new Set(body.roles)], user: body.user });
    const { token, tokenDigest } = newToken();
    try {
      const position = await this.run(caller, { type: 'add', ...body, tokenDigest });
      return { ...shown, token, position };
    } catch (error) {
      // The same request was repeated, or sent twice at once. The first answer held the token.
      if (error instanceof Problem && error.code === 'already_exists' && this.isThere(body))
        return { ...shown, position: String(this.view.position) };
      throw error;
    }
  }

  @Handles(listPrincipals)
  list({ query: { state = 'active' }, page }: Asked<typeof listPrincipals>): Promise<Page<PrincipalView>> {
    const shown = this.view
      .principals()
      .filter((principal) => principal !== undefined)
      .map(principalView)
      .filter((principal) => state === 'all' || principal.state === state)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const walk = async function* (after = '') {
      yield* shown.filter(({ name }) => name > after);
    };
    return pageOf(walk, ({ name }) => name, page);
  }

  @Handles(rotateToken)
  async rotate({ params, caller }: Asked<typeof rotateToken>): Promise<AnswerOf<typeof rotateToken>> {
    const { token, tokenDigest } = newToken();
    const position = await this.run(caller, { type: 'rotate', name: params.name, tokenDigest });
    return { token, position };
  }

  @Handles(removePrincipal)
  async remove({ params, caller }: Asked<typeof removePrincipal>): Promise<void> {
    await this.run(caller, { type: 'remove', name: params.name });
  }

  private async run(caller: Principal, request: PrincipalRequest): Promise<string> {
    const { position } = await this.commands.execute(new PrincipalsCommand(caller, request));
    return String(position);
  }

  private isThere({ name, roles, host, user }: AddPrincipal): boolean {
    const { state } = this.view.principal(name);
    if (state === undefined || state.removed) return false;
    const wanted = defined({ roles: [...new Set(roles)].sort(), host, user });
    const there = defined({ roles: state.roles, host: state.host, user: state.user });
    return canonicalJson(there) === canonicalJson(wanted);
  }
}

function principalView({
  name,
  roles,
  host,
  user,
  removed,
  added,
  rotated,
  gone,
}: NonNullable<PrincipalState>): PrincipalView {
  return defined({
    name,
    roles,
    host,
    user,
    state: removed ? 'removed' : 'active',
    addedBy: added.by,
    addedAt: added.at,
    tokenRotatedBy: rotated?.by,
    tokenRotatedAt: rotated?.at,
    removedBy: gone?.by,
    removedAt: gone?.at,
  });
}
