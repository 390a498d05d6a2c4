import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ControlView } from '../../../libs/control/control-view.js';
import { activeDirectives } from '../../../libs/directive/decider.js';
import { toInstant } from '../../../libs/kernel/time.js';
import { CLOCK, type Clock } from '../tokens.js';
import { DirectivesCommand } from './directives.handler.js';

const EVERY_MS = 500;
const ACTOR = { name: 'system:expiry' };

/** Lifts directives whose time is over. A directive ends only by that event; until its commit, the directive holds. */
@Injectable()
export class DirectiveExpiry implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(ControlView) private readonly view: ControlView,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.running = this.running.then(() => this.liftExpired()).catch(() => undefined); // tried again at the next tick
    }, EVERY_MS);
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  private async liftExpired(): Promise<void> {
    const now = toInstant(this.clock.wallMs());
    const expired = activeDirectives(this.view.directives().state).filter(
      ({ expiresAt }) => expiresAt !== undefined && expiresAt <= now,
    );
    for (const { id } of expired) {
      await this.commands.execute(new DirectivesCommand(ACTOR, { type: 'lift', id, reason: 'its time is over' }));
    }
  }
}
