import type { Command } from 'commander';
import { path } from '../client.js';
import { describe, serviceAction, type Exits } from '../command.js';
import { at, dig, list, printable, table } from '../print.js';
import { timelineOf } from '../timeline.js';
import { EXIT, type World } from '../world.js';

/** Commands about evidence. */
export function addAudit(program: Command, world: World, exits: Exits): void {
  const trace = describe(program, 'trace <traceId>', {
    about: 'Everything that is known of a trace, in order',
    example: 'sallyport trace 4bf92f3577b34da6a3ce929d0e0e4736',
  });
  serviceAction(trace, world, exits, 'auditor', async ({ call, args, show }) => {
    const answer = await call('GET', path('audit', 'traces', args[0] ?? ''));
    show(answer, () => timelineOf(answer));
  });

  const replay = describe(program, 'replay <traceId>', {
    about: `Decide every call of a trace again from its record; exits with ${EXIT.notIdentical} if any decision differs`,
    example: 'sallyport replay 4bf92f3577b34da6a3ce929d0e0e4736',
  });
  serviceAction(replay, world, exits, 'auditor', async ({ call, args, show }) => {
    const answer = await call('GET', path('audit', 'traces', args[0] ?? '', 'replay'));
    const identical = dig(answer, 'identical') === true;
    show(answer, () => [
      ...table(
        list(answer, 'calls').map((one) => [
          at(one, 'identical') === 'true' ? 'same' : at(one, 'identical') === 'shredded' ? 'shredded' : 'DIFFERS',
          at(one, 'callId'),
          `attempt ${at(one, 'attempt')}`,
          `${at(one, 'recorded', 'decision')} ${at(one, 'recorded', 'reason')}`,
          at(one, 'recorded', 'digest'),
        ]),
      ),
      printable(
        identical
          ? `identical: all ${list(answer, 'calls').length} decisions come out the same again`
          : 'NOT IDENTICAL: the record and the rules do not agree',
      ),
    ]);
    return identical ? EXIT.done : EXIT.notIdentical;
  });
}
