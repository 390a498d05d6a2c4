import { randomUUID } from 'node:crypto';
import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { ControlPlane, type Plan } from '../../../libs/control/control-plane.js';
import { writeOf } from '../../../libs/streams/facts.js';
import { directiveWrite } from '../../../libs/control/stops.js';
import { defined } from '../../../libs/kernel/defined.js';
import type { Digest } from '../../../libs/kernel/digest.js';
import { refusal, type Refusal } from '../../../libs/kernel/refusal.js';
import { err, ok, type Result } from '../../../libs/kernel/result.js';
import { principalDecider, type HostRights, type PrincipalCommand } from '../../../libs/principal/decider.js';
import type { Role } from '../../../libs/vocabulary/words.js';
import type { Principal } from '../edge/access.js';
import { unwrap } from '../edge/problem.js';

export type PrincipalRequest = { readonly name: string } & (
  | {
      readonly type: 'add';
      readonly roles: readonly Role[];
      readonly host?: HostRights | undefined;
      readonly user?: string | undefined;
      readonly tokenDigest: Digest;
    }
  | { readonly type: 'rotate'; readonly tokenDigest: Digest }
  | { readonly type: 'remove' }
);

export class PrincipalsCommand extends Command<{ position: bigint }> {
  constructor(
    readonly actor: Principal,
    readonly request: PrincipalRequest,
  ) {
    super();
  }
}

/** Adds and removes principals, and rotates their tokens. A directive stops the running tasks of a removed host. */
@CommandHandler(PrincipalsCommand)
export class PrincipalsHandler implements ICommandHandler<PrincipalsCommand> {
  constructor(@Inject(ControlPlane) private readonly plane: ControlPlane) {}

  async execute({ actor, request }: PrincipalsCommand): Promise<{ position: bigint }> {
    const directiveId = randomUUID();
    return unwrap(
      await this.plane.run(actor, (time) =>
        this.plan(request, actor, commandOf(request, actor.name, time, directiveId)),
      ),
    );
  }

  private plan(request: PrincipalRequest, actor: Principal, command: PrincipalCommand): Result<Plan, Refusal> {
    const { view } = this.plane;
    const stream = `principal-${request.name}`;
    const { state, revision } = view.principal(request.name);
    const admins = this.admins();
    if (request.type === 'remove' && admins.length === 1 && admins[0] === request.name) {
      return err(refusal('invalid_transition', 'nobody could manage principals without the last admin'));
    }
    // The removal of an admin requires that other admins remain, so the append checks them.
    const others = request.type === 'remove' && admins.includes(request.name) ? admins : [];
    const checks = others
      .filter((name) => name !== request.name)
      .map((name) => ({ stream: `principal-${name}`, expected: view.principal(name).revision }));
    const decided = principalDecider.decide(command, state);
    if (!decided.ok) return decided;
    const removal = writeOf(stream, revision, decided.value);
    const removed = decided.value.find((event) => event.type === 'PrincipalRemoved');
    if (removed?.data.directiveId === undefined) return ok({ writes: [removal], checks });
    const stop = directiveWrite(view, {
      type: 'issue',
      id: removed.data.directiveId,
      target: { type: 'host', host: request.name },
      reason: 'the host was removed',
      cause: removal.events[0]?.id ?? '',
      actor: actor.name,
      time: removed.time,
    });
    return stop.ok ? ok({ writes: [removal, stop.value], checks }) : stop;
  }

  private admins(): string[] {
    return this.plane.view
      .principals()
      .filter((principal) => principal?.removed === false && principal.roles.includes('admin'))
      .map((principal) => principal?.name ?? '');
  }
}

function commandOf(request: PrincipalRequest, actor: string, time: string, directiveId: string): PrincipalCommand {
  switch (request.type) {
    case 'add': {
      const { name, roles, host, user, tokenDigest } = request;
      const principal = defined({ name, roles: [...new Set(roles)].sort(), tokenDigest, host, user });
      return { type: 'add', principal, actor, time };
    }
    case 'rotate':
      return { type: 'rotate', tokenDigest: request.tokenDigest, actor, time };
    case 'remove':
      return { type: 'remove', directiveId, actor, time };
  }
}
