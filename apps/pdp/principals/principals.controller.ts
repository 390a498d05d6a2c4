import { Body, Controller, Delete, Get, Header, HttpCode, Inject, Param, Post, Query, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ControlView } from '../../../libs/control/control-view.js';
import { canonicalJson } from '../../../libs/kernel/canonical-json.js';
import { HostRights } from '../../../libs/principal/decider.js';
import { NameId } from '../../../libs/vocabulary/ids.js';
import { Role } from '../../../libs/vocabulary/words.js';
import { Access, callerOf } from '../edge/access.js';
import { parseInput } from '../edge/body.js';
import { pageOf, type Page } from '../http/paging.js';
import { Problem } from '../edge/problem.js';
import { PrincipalsCommand, type PrincipalRequest } from './principals.handler.js';
import { newToken } from './token.js';

const AddBody = z.strictObject({ name: NameId, roles: z.array(Role).min(1).max(6), host: HostRights.optional() });
type AddBody = z.infer<typeof AddBody>;
interface PrincipalView {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly host?: HostRights;
}
const EmptyBody = z.strictObject({}).optional();

@Controller('v1/principals')
export class PrincipalsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(ControlView) private readonly view: ControlView,
  ) {}

  /** The token is in the first answer alone: the same request again is answered without it. */
  @Post()
  @Header('cache-control', 'no-store')
  @Access(['admin'])
  async add(@Req() request: FastifyRequest, @Body() body: unknown): Promise<Record<string, unknown>> {
    const wanted = parseInput(AddBody, body);
    const shown = { name: wanted.name, roles: [...new Set(wanted.roles)] };
    const { token, tokenDigest } = newToken();
    try {
      const position = await this.run(request, { type: 'add', ...wanted, tokenDigest });
      return { ...shown, token, position };
    } catch (error) {
      // Also where the same request came twice at once.
      if (error instanceof Problem && error.code === 'already_exists' && this.isThere(wanted))
        return { ...shown, position: String(this.view.position) };
      throw error;
    }
  }

  /** Principals that have not been removed, in order of their names. No token and no digest of one. */
  @Get()
  @Access(['admin'])
  list(@Query() query: unknown): Promise<Page<PrincipalView>> {
    const shown = this.view
      .principals()
      .filter((state) => state !== undefined)
      .filter(({ removed }) => !removed)
      .map(({ name, roles, host }) => ({ name, roles, ...(host && { host }) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const walk = async function* (after = '') {
      yield* shown.filter(({ name }) => name > after);
    };
    return pageOf(walk, ({ name }) => name, query);
  }

  @Post(':name/rotate')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Access(['admin'])
  async rotate(
    @Req() request: FastifyRequest,
    @Param('name') name: string,
    @Body() body: unknown,
  ): Promise<Record<string, unknown>> {
    parseInput(EmptyBody, body ?? undefined);
    const { token, tokenDigest } = newToken();
    const position = await this.run(request, { type: 'rotate', name: parseInput(NameId, name), tokenDigest });
    return { token, position };
  }

  @Delete(':name')
  @HttpCode(204)
  @Access(['admin'])
  async remove(@Req() request: FastifyRequest, @Param('name') name: string): Promise<void> {
    await this.run(request, { type: 'remove', name: parseInput(NameId, name) });
  }

  private async run(request: FastifyRequest, asked: PrincipalRequest): Promise<string> {
    const { position } = await this.commands.execute(new PrincipalsCommand(callerOf(request), asked));
    return String(position);
  }

  private isThere({ name, roles, host }: AddBody): boolean {
    const { state } = this.view.principal(name);
    if (state === undefined || state.removed) return false;
    const wanted = { roles: [...new Set(roles)].sort(), host };
    return canonicalJson({ roles: state.roles, host: state.host }) === canonicalJson(wanted);
  }
}
