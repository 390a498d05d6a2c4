import type { Event } from '../../../libs/event-log/event.js';
import type { KeyringCopy } from '../../../libs/payloads/keyring-copy.js';
import type { EventOf } from '../../../libs/streams/catalogue.js';
import { isPseudonymous } from '../../../libs/task/content.js';

/**
 * The users that tasks name by a pseudonym, held against the keyring. Without its row, auditors cannot tell who a user was, and
 * find no calls by the id. Only an erasure removes one.
 */
export class UsersCheck {
  /** The position of the first task of each pseudonym. */
  private readonly named = new Map<string, number>();
  private readonly erased = new Set<string>();

  /** Takes a whole event, in its place. */
  add(position: number, { type, data }: Event): void {
    if (type === 'UserErased') this.erased.add((data as EventOf<'UserErased'>['data']).pseudonym);
    if (type !== 'TaskOpened') return;
    const opened = data as EventOf<'TaskOpened'>['data'];
    const { id } = opened.user;
    if (isPseudonymous(opened) && !this.named.has(id)) this.named.set(id, position);
  }

  /** Ends the walk. Returns the number of pseudonyms. */
  end(keys: Pick<KeyringCopy, 'userFault'>, damaged: (place: string) => void): number {
    for (const [pseudonym, position] of this.named) {
      if (this.erased.has(pseudonym)) continue;
      const fault = keys.userFault(pseudonym);
      if (fault !== undefined)
        damaged(`user ${pseudonym} (first at position ${position}): ${fault}, and no UserErased says so`);
    }
    return this.named.size;
  }
}
