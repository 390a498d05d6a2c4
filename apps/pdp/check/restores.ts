import type { Event } from '../../../libs/event-log/event.js';
import type { Compared } from '../../../libs/seal/witness-check.js';
import type { EventOf } from '../../../libs/streams/catalogue.js';

/**
 * The restores that a log names. A rollback with a forged `LogRestored` looks like one of them, so each is a warning, with what the
 * witness has beyond it.
 */
export class RestoresCheck {
  /** The text of the last one. */
  last: string | undefined;
  /** Checkpoints that the witness has and the log lacks; undefined if they were not compared. */
  lacking: Compared['lacking'] | undefined;
  private readonly lines: string[] = [];

  /** Takes a whole event, in its place. */
  add(position: number, { type, time, data }: Event, json: string): void {
    if (type !== 'LogRestored') return;
    this.last = json;
    const { backupAt } = data as EventOf<'LogRestored'>['data'];
    this.lines.push(`the log was restored at position ${position} (${time}) from a backup of ${backupAt}`);
  }

  /** One line for each restore. The last one has the result of the witness. */
  warnings(): string[] {
    return this.lines.map((line, at) => `warning: ${line}${at === this.lines.length - 1 ? this.beyond() : ''}`);
  }

  private beyond(): string {
    if (this.lacking === undefined) return ': no witness shows what it lacks';
    const { checkpoints, leaves } = this.lacking;
    return `: ${checkpoints} checkpoints of the witness are not in this log, with up to ${leaves} leaves that it lacks`;
  }
}
