import { z } from 'zod';
import { Uuid } from '../vocabulary/ids.js';
import { named } from './components.js';
import { operation } from './operation.js';
import { pageOf } from './shapes.js';

/** Checkpoints of the log, and proofs under them. Hashes are standard base64. */

const Leaves = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const LogKeys = named(
  'LogKeys',
  z.object({
    origin: z.string().describe('The name of the log in its checkpoints, and of its key.'),
    keys: z.array(
      z.object({
        id: z
          .string()
          .describe('SHA-256 of the name, a newline, 0x01 and the key: its first 4 bytes in hex (C2SP signed-note).'),
        algorithm: z.literal('Ed25519'),
        publicKey: z.string().describe('32 bytes in base64 (RFC 8032).'),
      }),
    ),
  }),
  { description: 'Who signs the checkpoints of the log.' },
);

const SealedCheckpoint = named(
  'SealedCheckpoint',
  z.object({
    size: z.int().min(1).describe('Leaves of the tree.'),
    root: z.string(),
    time: z.string(),
    note: z.string().describe('The signed checkpoint (C2SP tlog-checkpoint).'),
  }),
);

const CHECKPOINTS = { defaultLimit: 100, maxLimit: 1000 } as const;

export const logKeys = operation({
  id: 'logKeys',
  tag: 'transparency',
  summary: 'The name and the public key of the log',
  method: 'GET',
  path: '/.well-known/sallyport-log',
  roles: 'public',
  answers: { 200: LogKeys },
  problems: ['not_found'],
});

const audit = { tag: 'transparency', method: 'GET', roles: ['auditor'], admission: 'audits' } as const;

export const listCheckpoints = operation({
  ...audit,
  id: 'listCheckpoints',
  summary: 'List the checkpoints of the log',
  description: 'The oldest first.',
  path: '/v1/audit/checkpoints',
  query: z.object({ after: Leaves.optional().describe('Only trees with more leaves. `cursor` goes before it.') }),
  paging: CHECKPOINTS,
  answers: { 200: pageOf(SealedCheckpoint) },
});

export const proveEvent = operation({
  ...audit,
  id: 'proveEvent',
  summary: 'Prove that an event is in the log',
  description:
    'A C2SP tlog-proof under the last checkpoint. The leaf is the canonical JSON of the event. An event is in a checkpoint within a second; until then `not_found`.',
  path: '/v1/audit/events/{id}/proof',
  params: z.object({ id: Uuid }),
  answers: { 200: z.string() },
  media: 'text/plain',
});

export const proveConsistency = operation({
  ...audit,
  id: 'proveConsistency',
  summary: 'Prove that one tree of the log continues another',
  description: 'The proof of RFC 9162, 2.1.4. Without `to`, up to the last checkpoint.',
  path: '/v1/audit/consistency',
  query: z.object({ from: Leaves.describe('Leaves of the earlier tree.'), to: Leaves.optional() }),
  answers: { 200: named('ConsistencyProof', z.object({ hashes: z.array(z.string()) })) },
  problems: ['not_found'],
});

const tiles = { ...audit, mayBePublic: true, media: 'application/octet-stream' } as const;
const tile = {
  ...tiles,
  summary: 'Get a tile of hashes',
  description: 'By C2SP tlog-tiles, below `/log`: `tile/<level>/<index>`, with `.p/<width>` if it is not whole.',
  answers: { 200: z.custom<Uint8Array>(() => true) },
} as const;
const Part = z.string().max(8);

export const getCheckpoint = operation({
  ...audit,
  mayBePublic: true,
  id: 'getCheckpoint',
  summary: 'Get the last checkpoint of the log',
  description: 'A signed note (C2SP tlog-checkpoint). `not_found` before the first one.',
  path: '/log/checkpoint',
  answers: { 200: z.string() },
  media: 'text/plain',
  headers: { 'cache-control': 'no-store' },
  problems: ['not_found'],
});

export const getTile = operation({
  ...tile,
  id: 'getTile',
  path: '/log/tile/{level}/{first}',
  params: z.object({ level: Part, first: Part }),
});

export const getTileOfTwo = operation({
  ...tile,
  id: 'getTileOfTwo',
  path: '/log/tile/{level}/{first}/{second}',
  params: z.object({ level: Part, first: Part, second: Part }),
});

export const getTileOfThree = operation({
  ...tile,
  id: 'getTileOfThree',
  path: '/log/tile/{level}/{first}/{second}/{third}',
  params: z.object({ level: Part, first: Part, second: Part, third: Part }),
});
