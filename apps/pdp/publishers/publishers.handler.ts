import { randomUUID } from 'node:crypto';
import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { ControlPlane, type Plan } from '../../../libs/control/control-plane.js';
import { Signatures } from '../../../libs/control/signatures.js';
import { directiveWrite } from '../../../libs/control/stops.js';
import type { Target } from '../../../libs/directive/target.js';
import type { Refusal } from '../../../libs/kernel/refusal.js';
import { ok, type Result } from '../../../libs/kernel/result.js';
import type { Instant } from '../../../libs/kernel/time.js';
import { publisherDecider, type PublisherCommand, type PublisherEvent } from '../../../libs/publisher/decider.js';
import { families } from '../../../libs/streams/catalogue.js';
import { writeOf } from '../../../libs/streams/facts.js';
import type { Principal } from '../edge/access.js';
import { unwrap } from '../edge/problem.js';

type WithoutCause<Type> = Type extends unknown ? Omit<Type, 'actor' | 'time' | 'directiveId'> : never;
export type PublisherRequest = WithoutCause<PublisherCommand> & { readonly publisher: string };

export class PublishersCommand extends Command<{ position: bigint }> {
  constructor(
    readonly actor: Principal,
    readonly request: PublisherRequest,
  ) {
    super();
  }
}

/** Registers publishers, and the life of their keys. A revocation issues its directive in the same append. */
@CommandHandler(PublishersCommand)
export class PublishersHandler implements ICommandHandler<PublishersCommand> {
  constructor(
    @Inject(ControlPlane) private readonly plane: ControlPlane,
    @Inject(Signatures) private readonly signatures: Signatures,
  ) {}

  async execute({ actor, request }: PublishersCommand): Promise<{ position: bigint }> {
    const directiveId = randomUUID();
    const done = await this.plane.run(actor, (time) => this.plan(request, actor.name, time, directiveId));
    const { position } = unwrap(done);
    // Versions that were signed with the key before it came are verified with it now.
    if (request.type === 'propose-key') await this.signatures.catchUp();
    return { position };
  }

  private plan(request: PublisherRequest, actor: string, time: Instant, directiveId: string): Result<Plan, Refusal> {
    const { view } = this.plane;
    const { state, revision } = view.publisher(request.publisher);
    const decided = publisherDecider.decide(Object.assign({ actor, time, directiveId }, request), state);
    if (!decided.ok) return decided;
    const facts = writeOf(families.publisher.stream(request.publisher), revision, decided.value);
    const stop = decided.value.map(stopOf).find((each) => each !== undefined);
    if (stop === undefined) return ok({ writes: [facts] });
    const cause = facts.events[0]?.id ?? '';
    const directive = directiveWrite(view, { type: 'issue', ...stop, cause, actor, time });
    return directive.ok ? ok({ writes: [facts, directive.value] }) : directive;
  }
}

/** The directive of a fact, if it stops something. */
function stopOf({ type, data }: PublisherEvent): { id: string; target: Target; reason: string } | undefined {
  const { publisher } = data;
  if (type === 'PublisherRevoked')
    return { id: data.directiveId, target: { type: 'publisher', publisher }, reason: data.reason };
  if (type !== 'PublisherKeyRevoked' || data.directiveId === undefined) return undefined;
  const { keyId, directiveId, reason } = data;
  return { id: directiveId, target: { type: 'publisher-key', publisher, keyId }, reason };
}
