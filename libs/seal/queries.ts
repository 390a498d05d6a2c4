import type { RecordedEvent } from '../event-log/port.js';
import { idIn } from '../event-log/verify.js';
import { parseCheckpoint } from '../transparency/checkpoint.js';
import { HASH_BYTES, hashText, leafHash, parseHash, sameHash, type Hash } from '../transparency/hash.js';
import {
  consistencyProof,
  inclusionProof,
  verifyConsistency,
  verifyInclusion,
  type TreeHead,
} from '../transparency/proofs.js';
import { provenState } from '../transparency/completeness.js';
import { tileWidthAt } from '../transparency/tiles.js';
import { rangeRoot } from '../transparency/tree.js';
import { tlogProofText } from '../transparency/tlog-proof.js';
import { completenessLeaf, type Ledger } from './ledger.js';
import type { LeafProof, SealedEvidence, SealQuery, StreamProof } from './messages.js';
import type { SealFile } from './seal-file.js';
import { checkpointAt, type Checkpointed, type SealLog } from './seal-log.js';
import { LEAF_CATEGORIES } from './sealer.js';

/** The file did not lead to the root of its checkpoint: it is not fit, and has to be made again. */
export class UnfitFile extends Error {
  override readonly name = 'UnfitFile';
}

export interface Sealed {
  readonly log: SealLog;
  readonly file: SealFile;
  readonly ledger: Ledger;
  /** The revision of the last checkpoint that the file has. */
  readonly revision: number;
}

/** Answers a query as of the last checkpoint. Each proof is verified before it is answered. Throws `UnfitFile`. */
export function answerTo(sealed: Sealed, query: SealQuery): unknown {
  const { log, file, revision } = sealed;
  const latest = checkpointAt(log, revision);
  if (query.kind === 'checkpoints')
    return file
      .checkpointsAfter(query.after, query.limit)
      .flatMap((each) => checkpointAt(log, each) ?? [])
      .map(shown);
  if (latest === undefined) return undefined;
  switch (query.kind) {
    case 'latest':
      return shown(latest);
    case 'event':
      return eventProof(sealed, latest, query.id);
    case 'consistency':
      return consistency(file, headOf(latest), query.from, query.to ?? latest.size);
    case 'tile': {
      const width = tileWidthAt(query.level, query.index, latest.size);
      const hashes = file.tile(query.level, query.index);
      if (query.width > width) return undefined;
      if (hashes.byteLength < query.width * HASH_BYTES) throw new UnfitFile('a tile lacks hashes');
      return hashes.subarray(0, query.width * HASH_BYTES);
    }
    default:
      return evidence(sealed, latest, query);
  }
}

const shown = ({ size, root, time, note }: Checkpointed) => ({ size, root, time, note });

function headOf({ note }: Checkpointed): TreeHead {
  const parsed = parseCheckpoint(note);
  if (!parsed.ok) throw new UnfitFile(parsed.error);
  return parsed.value;
}

/** The event with an id, and the index of its leaf. */
function leafOf({ log, file }: Sealed, id: string): { event: RecordedEvent; leaf: number } | undefined {
  for (const { position, leaf } of file.withId(id)) {
    const [event] = log.all(position - 1, LEAF_CATEGORIES, 1);
    if (event !== undefined && idIn(event.json) === id) return { event, leaf };
  }
  return undefined;
}

function leafProof(file: SealFile, head: TreeHead, hash: Hash, index: number): LeafProof {
  const hashes = inclusionProof(index, head.size, file.node);
  if (!verifyInclusion(hash, index, head, hashes)) throw new UnfitFile(`the proof of leaf ${index} is wrong`);
  return { index, hashes: hashes.map(hashText) };
}

function eventProof(sealed: Sealed, latest: Checkpointed, id: string): string | undefined {
  const found = leafOf(sealed, id);
  if (found === undefined) return undefined;
  const { index, hashes } = leafProof(sealed.file, headOf(latest), leafHash(found.event.json), found.leaf);
  return tlogProofText({
    index,
    hashes: hashes.map((each) => parseHash(each) ?? Buffer.alloc(0)),
    checkpoint: latest.note,
  });
}

function consistency(file: SealFile, latest: TreeHead, from: number, to: number) {
  if (from > to || to > latest.size) return undefined;
  const head = (size: number): TreeHead => ({ size, root: rangeRoot(0, size, file.node) });
  const [first, second] = [head(from), head(to)];
  const hashes = consistencyProof(from, to, file.node);
  const isLatest = to !== latest.size || sameHash(second.root, latest.root);
  if (!isLatest || !verifyConsistency(first, second, hashes)) throw new UnfitFile('the proof of consistency is wrong');
  return { hashes: hashes.map(hashText) };
}

function evidence(
  sealed: Sealed,
  latest: Checkpointed,
  { ids, streams, size }: Extract<SealQuery, { kind: 'evidence' }>,
): SealedEvidence | undefined {
  const { file, ledger } = sealed;
  const head = headOf(latest);
  if (size !== undefined && size > head.size) return undefined;
  const tree = size === undefined ? head : { size, root: rangeRoot(0, size, file.node) };
  const { completeness, through } = latest.data;
  const root = parseHash(completeness.root) ?? Buffer.alloc(0);
  return {
    checkpoint: latest.note,
    through,
    completeness: {
      ...leafProof(file, head, leafHash(completenessLeaf(completeness)), latest.size - 1),
      data: completeness,
    },
    events: ids.map((id) => {
      const found = leafOf(sealed, id);
      return found === undefined || found.leaf >= tree.size
        ? undefined
        : leafProof(file, tree, leafHash(found.event.json), found.leaf);
    }),
    streams: streams.map((stream) => streamProof(ledger, root, stream)),
  };
}

function streamProof(ledger: Ledger, root: Hash, stream: string): StreamProof {
  const proof = ledger.sealedMap.prove(stream);
  if (provenState(stream, root, proof) === undefined) throw new UnfitFile(`the proof of ${stream} is wrong`);
  const { siblings, leaf } = proof;
  return {
    stream,
    siblings: siblings.map(hashText),
    ...(leaf === undefined
      ? {}
      : { leaf: { key: hashText(leaf.key), revision: leaf.revision, chain: hashText(leaf.chain) } }),
  };
}
