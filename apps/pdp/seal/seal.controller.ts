import { Controller, Inject } from '@nestjs/common';
import {
  getCheckpoint,
  getTile,
  getTileOfThree,
  getTileOfTwo,
  listCheckpoints,
  logKeys,
  proveConsistency,
  proveEvent,
} from '../../../libs/contract/transparency.js';
import type { AnswerOf } from '../../../libs/contract/operation.js';
import type { AnswerTo, SealedCheckpoint, SealQuery } from '../../../libs/seal/messages.js';
import { SealUnavailable } from '../../../libs/seal/seal-thread.js';
import { parseTilePath } from '../../../libs/transparency/tiles.js';
import type { Asked } from '../edge/asked.js';
import { Problem } from '../edge/problem.js';
import { Handles } from '../http/handles.js';
import type { Page } from '../http/paging.js';
import type { Seal } from '../service/seal.js';
import { SEAL } from '../tokens.js';

const asWritten = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Checkpoints of the log, and proofs under the last one. The sealer's thread makes them and verifies each first. */
@Controller()
export class SealController {
  constructor(@Inject(SEAL) private readonly seal: Seal | undefined) {}

  @Handles(logKeys)
  keys(): AnswerOf<typeof logKeys> {
    const { thread, key } = present(this.seal, 'this service makes no checkpoints');
    return { origin: thread.origin, keys: [key] };
  }

  @Handles(listCheckpoints)
  async checkpoints({ query, page }: Asked<typeof listCheckpoints>): Promise<Page<SealedCheckpoint>> {
    const { limit, cursor } = page;
    if (cursor !== undefined && !/^\d{1,15}$/.test(cursor)) throw new Problem('malformed_request', 'no such cursor');
    const after = cursor === undefined ? (query.after ?? 0) : Number(cursor);
    const found = await this.ask({ kind: 'checkpoints', after, limit: limit + 1 });
    const items = found.slice(0, limit);
    return found.length > limit ? { items, next: String(items.at(-1)?.size) } : { items };
  }

  @Handles(proveEvent)
  async event({ params: { id } }: Asked<typeof proveEvent>): Promise<string> {
    return present(await this.ask({ kind: 'event', id }), 'no checkpoint has an event with this id');
  }

  @Handles(proveConsistency)
  async consistency({
    query: { from, to },
  }: Asked<typeof proveConsistency>): Promise<AnswerOf<typeof proveConsistency>> {
    const proof = await this.ask({ kind: 'consistency', from, to });
    return { hashes: [...present(proof, 'no checkpoint has trees of these sizes').hashes] };
  }

  @Handles(getCheckpoint)
  async checkpoint(): Promise<string> {
    return present(await this.ask({ kind: 'latest' }), 'there is no checkpoint yet').note;
  }

  @Handles(getTile, asWritten)
  tile({ params: { level, first } }: Asked<typeof getTile>): Promise<Uint8Array> {
    return this.tileAt(`tile/${level}/${first}`);
  }

  @Handles(getTileOfTwo, asWritten)
  tileOfTwo({ params: { level, first, second } }: Asked<typeof getTileOfTwo>): Promise<Uint8Array> {
    return this.tileAt(`tile/${level}/${first}/${second}`);
  }

  @Handles(getTileOfThree, asWritten)
  tileOfThree({ params: { level, first, second, third } }: Asked<typeof getTileOfThree>): Promise<Uint8Array> {
    return this.tileAt(`tile/${level}/${first}/${second}/${third}`);
  }

  private async tileAt(path: string): Promise<Uint8Array> {
    const place = parseTilePath(path);
    return present(
      place && (await this.ask({ kind: 'tile', ...place })),
      'the tree of the last checkpoint has no such tile',
    );
  }

  private async ask<const Query extends SealQuery>(query: Query): Promise<AnswerTo<Query>> {
    try {
      return await present(this.seal, 'this service makes no checkpoints').thread.ask(query);
    } catch (error) {
      if (error instanceof SealUnavailable) throw new Problem('log_unavailable', error.message);
      throw error;
    }
  }
}

function present<Value>(value: Value | undefined, message: string): Value {
  if (value === undefined) throw new Problem('not_found', message);
  return value;
}
