import type { DatabaseSync } from 'node:sqlite';
import { parseEvent, type Event } from '../../event-log/event.js';
import { verifySealed } from '../../event-log/verify.js';
import { toMs } from '../../kernel/time.js';
import { namedCapabilities } from '../named-capabilities.js';
import { Blocks } from './blocks.js';
import { CallInsertion } from './call-insertion.js';
import { familyOf } from '../../streams/catalogue.js';
import type { Cell, Mark } from './messages.js';
import { Names } from './names.js';
import { StreamChains } from './stream-chains.js';

/** Position, stream, revision, type and JSON. */
export const CELLS_PER_EVENT = 5;

/** Adds events to the index, and remembers the ids of names, versions and owners. */
export class Insertion {
  private readonly names: Names;
  private readonly calls: CallInsertion;
  private readonly blocks: Blocks;
  private readonly chains: StreamChains;
  private readonly mark;

  constructor(private readonly db: DatabaseSync) {
    this.names = new Names(db);
    this.calls = new CallInsertion(db, this.names);
    this.blocks = new Blocks(db, this.names);
    this.chains = new StreamChains(db);
    this.mark = db.prepare('INSERT OR REPLACE INTO mark VALUES (1, ?, ?, ?, ?)');
  }

  /** Adds events and the mark in one transaction. */
  insert(cells: readonly Cell[], mark: Mark): void {
    try {
      this.db.exec('BEGIN IMMEDIATE');
      for (let at = 0; at < cells.length; at += CELLS_PER_EVENT) {
        const [position, stream, revision, type, json] = cells.slice(at, at + CELLS_PER_EVENT);
        this.add(position as bigint, String(stream), Number(revision), String(type), String(json));
      }
      this.blocks.write();
      this.chains.write();
      this.mark.run(mark.position, mark.stream, mark.revision, mark.id);
      this.db.exec('COMMIT');
    } catch (error) {
      // Rows of a transaction that was rolled back must not be remembered.
      this.forget();
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Forgets the ids. Must be called after the tables have been emptied. */
  forget(): void {
    this.names.forget();
    this.calls.forget();
    this.blocks.forget();
    this.chains.forget();
  }

  private add(position: bigint, stream: string, revision: number, type: string, json: string): void {
    this.chains.add(stream, position, json);
    const written = wholeEvent(stream, revision, type, json);
    if (written === undefined) return this.blocks.add(position, type, undefined);
    const event = familyOf(stream)?.asOfItsVersion(written) ?? written;
    const { actor, time } = event;
    this.blocks.add(position, type, { actor, timeMs: toMs(time), capabilities: namedCapabilities(event) });
    this.calls.add(event, position);
  }
}

/** Undefined if the event is damaged: nothing in it is believed. */
function wholeEvent(stream: string, revision: number, type: string, json: string): Event | undefined {
  const head = verifySealed(json);
  if (head?.stream !== stream || head.revision !== revision || head.type !== type) return undefined;
  const event = parseEvent(json);
  return Number.isNaN(Date.parse(event.time)) || typeof event.actor !== 'string' ? undefined : event;
}
