import { generateKeyPairSync } from 'node:crypto';
import type { ProofSource } from '../../libs/bundle/proof-source.js';
import { everyEvent } from '../../libs/event-log/every-event.js';
import type { EventLog } from '../../libs/event-log/port.js';
import { idIn } from '../../libs/event-log/verify.js';
import { completenessLeaf } from '../../libs/seal/ledger.js';
import { familyOf } from '../../libs/streams/catalogue.js';
import { signCheckpoint } from '../../libs/transparency/checkpoint.js';
import { CompletenessMap, MemoryLeaves } from '../../libs/transparency/completeness-map.js';
import { CHAIN_START, chained, streamKey } from '../../libs/transparency/completeness.js';
import { hashText, leafHash, type Hash } from '../../libs/transparency/hash.js';
import { noteVerifier, verifierText } from '../../libs/transparency/note.js';
import { inclusionProof } from '../../libs/transparency/proofs.js';
import { GrowingTree } from '../../libs/transparency/tree.js';

const ORIGIN = 'sallyport.test/log';

/**
 * A log that is sealed in one checkpoint whenever somebody asks, by a key of its own, up to a position. That must stay
 * once the streams were proven.
 */
export function sealedLog(
  log: Pick<EventLog, 'readAll'>,
  last: () => bigint | undefined = () => undefined,
): ProofSource & { readonly key: string } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const key = verifierText(noteVerifier(ORIGIN, privateKey));
  return {
    key,
    keys: [key],
    async ask({ ids, streams }) {
      const nodes = new Map<string, Hash>();
      const tree = GrowingTree.empty();
      const leaves = new Map<string, number>();
      const states = new Map<string, { revision: number; chain: Hash }>();
      const add = (data: string): Hash => {
        const leaf = leafHash(data);
        tree.append(leaf, (height, index, hash) => nodes.set(`${height} ${index}`, hash));
        return leaf;
      };
      let through = 0n;
      const until = last();
      for await (const { position, stream, revision, json } of everyEvent(log)) {
        if (until !== undefined && position > until) break;
        if (familyOf(stream)?.role === 'bookkeeping') continue;
        leaves.set(idIn(json), tree.size);
        states.set(stream, { revision, chain: chained(states.get(stream)?.chain ?? CHAIN_START, add(json)) });
        through = position;
      }
      const map = new CompletenessMap(new MemoryLeaves());
      map.update([...states].map(([stream, state]) => ({ key: streamKey(stream), ...state })));
      const data = { root: hashText(map.root), streams: states.size, events: tree.size, tasks: 0, shredded: 0 };
      add(completenessLeaf(data));
      const proofOf = (index: number) => ({
        index,
        hashes: inclusionProof(index, tree.size, (height, at) => nodes.get(`${height} ${at}`) ?? new Uint8Array()).map(
          hashText,
        ),
      });
      return {
        checkpoint: signCheckpoint({ origin: ORIGIN, size: tree.size, root: tree.root() }, privateKey),
        through: String(through),
        completeness: { ...proofOf(tree.size - 1), data },
        events: ids.map((id) => leaves.get(id)).map((leaf) => (leaf === undefined ? undefined : proofOf(leaf))),
        streams: streams.map((stream) => {
          const { siblings, leaf } = map.prove(stream);
          const shown = leaf && { key: hashText(leaf.key), revision: leaf.revision, chain: hashText(leaf.chain) };
          return { stream, siblings: siblings.map(hashText), ...(shown === undefined ? {} : { leaf: shown }) };
        }),
      };
    },
  };
}
