import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { BlockFilter, BlockRange } from './messages.js';
import type { Names } from './names.js';

/** Events of one block. A search reads whole blocks, so a rare name costs this many events each time. */
const BLOCK_EVENTS = 256;

/** The kinds of names that a block is known by. */
const KINDS = { type: 0, actor: 1, capability: 2, damaged: 3 } as const;
type Kind = keyof typeof KINDS;

/** Of an event, as far as blocks are known by it. Without it the event cannot be read. */
export interface BlockMembers {
  readonly timeMs: number;
  readonly actor: string;
  readonly capabilities: Iterable<string>;
}

interface Block {
  readonly block: number;
  readonly first: bigint;
  last: bigint;
  events: number;
  minMs: number;
  maxMs: number;
}

/**
 * Which names occur in which parts of the log. A row for each event and name would be larger than the rest of the index.
 * A row for each block and name is hardly anything. Answers come from the log: blocks only say where not to look.
 */
export class Blocks {
  private current: Block | undefined;
  private readonly seen = new Set<string>();
  private readonly sql: ReturnType<typeof statementsOf>;

  constructor(
    db: DatabaseSync,
    private readonly names: Names,
  ) {
    this.sql = statementsOf(db);
  }

  add(position: bigint, type: string, members: BlockMembers | undefined): void {
    const block = this.blockAt(position);
    block.last = position;
    block.events += 1;
    this.name(block, 'type', type);
    if (members === undefined) return this.name(block, 'damaged', '');
    block.minMs = Math.min(block.minMs, members.timeMs);
    block.maxMs = Math.max(block.maxMs, members.timeMs);
    this.name(block, 'actor', members.actor);
    for (const capability of members.capabilities) this.name(block, 'capability', capability);
  }

  write(): void {
    if (this.current !== undefined) this.writeBlock(this.current);
  }

  forget(): void {
    this.current = undefined;
    this.seen.clear();
  }

  private blockAt(position: bigint): Block {
    const block = (this.current ??= this.stored());
    // Events of one position stay together.
    if (block !== undefined && (block.events < BLOCK_EVENTS || block.last === position)) return block;
    if (block !== undefined) this.writeBlock(block);
    this.seen.clear();
    const fresh = { block: (block?.block ?? 0) + 1, first: position, last: position, events: 0 };
    return (this.current = { ...fresh, minMs: Number.MAX_SAFE_INTEGER, maxMs: 0 });
  }

  private stored(): Block | undefined {
    const row = this.sql.newest.get() as Record<string, number | string> | undefined;
    if (row === undefined) return undefined;
    const number = (name: string) => Number(row[name]);
    return {
      block: number('block'),
      first: BigInt(row['first'] ?? 0),
      last: BigInt(row['last'] ?? 0),
      events: number('events'),
      minMs: number('min_ms'),
      maxMs: number('max_ms'),
    };
  }

  private name(block: Block, kind: Kind, name: string): void {
    const key = `${kind} ${name}`;
    if (this.seen.has(key)) return;
    this.seen.add(key);
    this.sql.addName.run(KINDS[kind], this.names.of(name), block.block);
  }

  private writeBlock({ block, first, last, events, minMs, maxMs }: Block): void {
    this.sql.set.run(block, first, last, events, minMs, maxMs);
  }
}

/** The blocks after a position that can hold such an event. Damaged events are in every answer. */
export function findBlocks(db: DatabaseSync, filter: BlockFilter, after: bigint, limit: number): BlockRange[] {
  const conditions: string[] = ['b.last > ?'];
  const values: SQLInputValue[] = [after];
  const inBlock = (kind: Kind, names: readonly string[]): string => {
    values.push(KINDS[kind], JSON.stringify(names));
    return `b.block IN (SELECT n.block FROM block_names n WHERE n.kind = ?
      AND n.name IN (SELECT id FROM names WHERE name IN (SELECT value FROM json_each(?))))`;
  };
  const { types, actor, capability, fromMs, toMs } = filter;
  if (types !== undefined) conditions.push(inBlock('type', types));
  if (actor !== undefined) conditions.push(inBlock('actor', [actor]));
  // A lifting names a directive, which may be about any capability.
  if (capability !== undefined)
    conditions.push(`(${inBlock('capability', [capability])} OR ${inBlock('type', ['DirectiveLifted'])})`);
  if (fromMs !== undefined) conditions.push(`b.max_ms >= ${fromMs}`);
  if (toMs !== undefined) conditions.push(`b.min_ms <= ${toMs}`);
  const [isAfter, ...others] = conditions;
  const isDamaged = inBlock('damaged', ['']);
  const rows = db
    .prepare(
      `SELECT CAST(b.first AS TEXT) AS first, CAST(b.last AS TEXT) AS last FROM blocks b
       WHERE ${isAfter} AND ((${others.join(' AND ') || 'true'}) OR ${isDamaged}) ORDER BY b.block LIMIT ?`,
    )
    .all(...values, limit);
  return rows.map((row) => ({ first: BigInt(row['first'] as string), last: BigInt(row['last'] as string) }));
}

const statementsOf = (db: DatabaseSync) => ({
  newest: db.prepare(
    `SELECT block, CAST(first AS TEXT) AS first, CAST(last AS TEXT) AS last, events, min_ms, max_ms
     FROM blocks ORDER BY block DESC LIMIT 1`,
  ),
  set: db.prepare(
    'INSERT OR REPLACE INTO blocks (block, first, last, events, min_ms, max_ms) VALUES (?, ?, ?, ?, ?, ?)',
  ),
  addName: db.prepare('INSERT OR IGNORE INTO block_names (kind, name, block) VALUES (?, ?, ?)'),
});
