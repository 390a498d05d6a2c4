import type { Command } from 'commander';
import { describe, type Exits } from '../command.js';
import { EXIT, UsageError, type World } from '../world.js';

interface SampleOptions {
  readonly type?: string;
}

/** Commands about the events for a SIEM. They need no service. */
export function addSiem(program: Command, world: World, exits: Exits): void {
  const siem = program.command('siem').description('The OCSF events that the service makes for a SIEM');
  describe(siem, 'sample', {
    about: 'Print one OCSF event of each event type, for a mapping or a parser: one JSON object in each line',
    example: 'sallyport siem sample --type CallDecided',
  })
    .option('--type <type>', 'only the sample of this event type')
    .action(async ({ type }: SampleOptions) => {
      const { samples } = await import('../../../libs/siem/sample.js');
      const wanted = samples().filter((sample) => type === undefined || sample.type === type);
      if (wanted.length === 0) throw new UsageError('--type: there is no such event type, or it is bookkeeping');
      for (const { event } of wanted) world.out(`${JSON.stringify(event)}\n`);
      exits.code = EXIT.done;
    });
}
