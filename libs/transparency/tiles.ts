import { HASH_BYTES, nodeHash, type Hash } from './hash.js';
import type { NodeReader } from './tree.js';

/** Hashes of a whole tile, and the heights of the tree that one tile spans (C2SP tlog-tiles). */
export const TILE_WIDTH = 256;
export const TILE_HEIGHT = 8;
/** The highest level of a tile. A tree of 2^53 leaves needs it. */
const MAX_TILE_LEVEL = 6;

/** A tile of hashes: level, index, and how many hashes it has (256 if it is whole). */
export interface TilePlace {
  readonly level: number;
  readonly index: number;
  readonly width: number;
}

/** The path of a tile below the prefix of the log: `tile/0/x001/x234/067`, with `.p/<width>` if it is not whole. */
export function tilePath({ level, index, width }: TilePlace): string {
  const groups = [String(index % 1000).padStart(3, '0')];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000))
    groups.unshift(`x${String(rest % 1000).padStart(3, '0')}`);
  return `tile/${level}/${groups.join('/')}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

const PATH = /^tile\/(\d)\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

/** Reads `tilePath`. Undefined for a path of any other form: each tile has one path. */
export function parseTilePath(path: string): TilePlace | undefined {
  const [, level = '', groups = '', width] = PATH.exec(path) ?? [];
  const place = {
    level: Number(level),
    index: Number(groups.replaceAll(/[x/]/g, '')),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  return place.level <= MAX_TILE_LEVEL && place.width <= TILE_WIDTH && tilePath(place) === path ? place : undefined;
}

/** The hashes that a tile has in a tree of `size` leaves: from 0 to 256. */
export function tileWidthAt(level: number, index: number, size: number): number {
  const nodes = Math.floor(size / TILE_WIDTH ** level);
  return Math.max(0, Math.min(TILE_WIDTH, nodes - index * TILE_WIDTH));
}

/** Reads nodes out of tiles. `tile` gives the hashes of a tile one after another, at least those that the tree has. */
export function nodesOfTiles(tile: (level: number, index: number) => Uint8Array): NodeReader {
  return (height, index) => {
    const level = Math.floor(height / TILE_HEIGHT);
    const width = 2 ** (height % TILE_HEIGHT);
    const first = index * width;
    const hashes = tile(level, Math.floor(first / TILE_WIDTH));
    return nodeWithin(hashes, first % TILE_WIDTH, width);
  };
}

/** The root of `width` hashes, a power of two. */
function nodeWithin(hashes: Uint8Array, first: number, width: number): Hash {
  if (width === 1) {
    const hash = hashes.subarray(first * HASH_BYTES, (first + 1) * HASH_BYTES);
    if (hash.byteLength !== HASH_BYTES) throw new RangeError('the tile lacks a hash');
    return hash;
  }
  const half = width / 2;
  return nodeHash(nodeWithin(hashes, first, half), nodeWithin(hashes, first + half, half));
}
